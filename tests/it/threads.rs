//! A system without room for another thread is an error with a hint, never a panic.

#[test]
fn no_room_for_a_thread_is_an_error_that_says_so() {
    for arguments in [
        &["ise", "mnt", "version"][..],
        &["ise", "pxgrid", "services"],
        &["ise", "pxgrid", "subscribe", "--topic", "session"],
        &["ise", "lab", "up"],
    ] {
        let output = crate::support::process()
            .args(arguments)
            // No address space has room for such a stack.
            .env("RUST_MIN_STACK", (1_u64 << 46).to_string())
            .envs([("ISE_MNT_IP", "127.0.0.1"), ("ISE_MNT_PORT", "1")])
            .envs([("ISE_MNT_USER", "u"), ("ISE_MNT_PASS", "p")])
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {err}");
        assert!(!err.contains("panicked"), "{err}");
        assert!(err.starts_with("netapi: "), "{err}");
    }
}
