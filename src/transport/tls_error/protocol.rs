//! Words for a peer that breaks the TLS protocol or shares no way of speaking it: one for each
//! variant that rustls has.
//!
//! rustls lists what a server may do wrong and what a client may; a client of ours meets only the
//! first, the others have their words all the same.

use rustls::{InvalidMessage, PeerIncompatible, PeerMisbehaved};

/// What is missing for a handshake.
pub(super) fn incompatible(reason: &PeerIncompatible) -> &'static str {
    use PeerIncompatible as P;
    match reason {
        P::EcPointsExtensionRequired => "it names no elliptic curve points",
        P::ExtendedMasterSecretExtensionRequired => "it does not know the extended master secret",
        P::IncorrectCertificateTypeExtension => "it wants another type of certificate than X.509",
        P::KeyShareExtensionRequired => "its greeting lacks a key share",
        P::NamedGroupsExtensionRequired => "it names no key exchange groups",
        P::NoCertificateRequestSignatureSchemesInCommon => {
            "it takes no kind of signature for a client certificate that we make"
        }
        P::NoCipherSuitesInCommon => "no cipher suite in common",
        P::NoEcPointFormatsInCommon => "no form of elliptic curve points in common",
        P::NoKxGroupsInCommon => "no key exchange group in common",
        P::NoSignatureSchemesInCommon => "no kind of signature in common",
        P::NullCompressionRequired => "it insists on compression",
        P::ServerDoesNotSupportTls12Or13 => "it speaks neither TLS 1.2 nor TLS 1.3",
        P::ServerSentHelloRetryRequestWithUnknownExtension => "it asks again for something unknown",
        P::ServerTlsVersionIsDisabledByOurConfig => {
            "it speaks a version of TLS that is switched off here"
        }
        P::SignatureAlgorithmsExtensionRequired => "it names no kinds of signature",
        P::SupportedVersionsExtensionRequired => "it names no versions of TLS",
        P::Tls12NotOffered => "it was not offered TLS 1.2",
        P::Tls12NotOfferedOrEnabled => "it was not offered TLS 1.2, or has it switched off",
        P::Tls13RequiredForQuic => "it does not speak TLS 1.3, which QUIC needs",
        P::UncompressedEcPointsRequired => "it does not take uncompressed elliptic curve points",
        P::UnsolicitedCertificateTypeExtension => {
            "it chose a type of certificate that was not offered"
        }
        P::ServerRejectedEncryptedClientHello(_) => "it refused the encrypted greeting",
        _ => "it lacks something that we need",
    }
}

/// What a peer did against the protocol.
#[allow(
    clippy::too_many_lines,
    reason = "one line for each way to break the protocol"
)]
pub(super) fn misbehaved(reason: &PeerMisbehaved) -> &'static str {
    use PeerMisbehaved as P;
    match reason {
        P::AttemptedDowngradeToTls12WhenTls13IsSupported => {
            "it, or somebody in between, forced TLS 1.2 although both sides speak TLS 1.3"
        }
        P::BadCertChainExtensions => "its certificates came with wrong extensions",
        P::CipherSuiteDifferedOnRetry => "it changed the cipher suite between two answers",
        P::DisallowedEncryptedExtension => "it encrypted an extension that must not be",
        P::DuplicateClientHelloExtensions => "a client's greeting has an extension twice",
        P::DuplicateEncryptedExtensions => "its encrypted extensions have one twice",
        P::DuplicateHelloRetryRequestExtensions => "its retry request has an extension twice",
        P::DuplicateNewSessionTicketExtensions => "its session ticket has an extension twice",
        P::DuplicateServerHelloExtensions => "its greeting has an extension twice",
        P::DuplicateServerNameTypes => "a client's greeting has a type of host name twice",
        P::EarlyDataAttemptedInSecondClientHello => "early data came with a second greeting",
        P::EarlyDataExtensionWithoutResumption => "it took early data without a resumed session",
        P::EarlyDataOfferedWithVariedCipherSuite => "it took early data with another cipher suite",
        P::EchAcceptanceVariedAfterRetry => "it changed its mind about the encrypted greeting",
        P::HandshakeHashVariedAfterRetry => "it changed the hash between two answers",
        P::IllegalHelloRetryRequestWithEmptyCookie => "its retry request has an empty cookie",
        P::IllegalHelloRetryRequestWithNoChanges => "its retry request asks for no change",
        P::IllegalHelloRetryRequestWithOfferedGroup => {
            "its retry request asks for a key that it was given"
        }
        P::IllegalHelloRetryRequestWithUnofferedCipherSuite => {
            "its retry request has a cipher suite that was not offered"
        }
        P::IllegalHelloRetryRequestWithUnofferedNamedGroup => {
            "its retry request has a key exchange group that was not offered"
        }
        P::IllegalHelloRetryRequestWithUnsupportedVersion => {
            "its retry request has a version of TLS that was not offered"
        }
        P::IllegalHelloRetryRequestWithWrongSessionId => "its retry request is for another session",
        P::IllegalHelloRetryRequestWithInvalidEch => {
            "its retry request has a wrong encrypted greeting"
        }
        P::IllegalMiddleboxChangeCipherSpec => "a change of ciphers came where none may",
        P::IllegalTlsInnerPlaintext => "a record has nothing inside",
        P::IncorrectBinder => "a resumed session is bound wrongly",
        P::InvalidCertCompression => "its compressed certificate cannot be unpacked",
        P::InvalidMaxEarlyDataSize => "its limit for early data is wrong",
        P::InvalidKeyShare => "its key share is no valid key",
        P::KeyEpochWithPendingFragment => "it changed keys in the middle of a message",
        P::KeyUpdateReceivedInQuicConnection => "it changed keys in a QUIC connection",
        P::MessageInterleavedWithHandshakeMessage => {
            "it put one message into the middle of another"
        }
        P::MissingBinderInPskExtension => "a resumed session is bound to nothing",
        P::MissingKeyShare => "it sent no key share",
        P::MissingPskExtensionInSecondClientHello => "a second greeting lacks the resumed session",
        P::MissingPskModesExtension => "a resumed session does not say how",
        P::MissingQuicTransportParameters => "the parameters of QUIC are missing",
        P::OfferedDuplicateCertificateCompressions => "a kind of compression was offered twice",
        P::OfferedDuplicateKeyShares => "a key share was offered twice",
        P::OfferedEarlyDataWithOldProtocolVersion => {
            "early data was offered with an old version of TLS"
        }
        P::OfferedEmptyApplicationProtocol => "an application protocol has an empty name",
        P::OfferedIncorrectCompressions => "wrong kinds of compression were offered",
        P::PskExtensionMustBeLast => {
            "the resumed session does not stand last in a client's greeting"
        }
        P::PskExtensionWithMismatchedIdsAndBinders => {
            "resumed sessions and their bindings differ in number"
        }
        P::RefusedToFollowHelloRetryRequest => "a retry request was not followed",
        P::RejectedEarlyDataInterleavedWithHandshakeMessage => {
            "early data stood in the middle of a message"
        }
        P::ResumptionAttemptedWithVariedEms => {
            "it resumed a session without its extended master secret"
        }
        P::ResumptionOfferedWithVariedCipherSuite => {
            "it resumed a session with another cipher suite"
        }
        P::ResumptionOfferedWithVariedEms => "it resumed a session with another master secret",
        P::ResumptionOfferedWithIncompatibleCipherSuite => {
            "it resumed a session with a cipher suite that does not fit"
        }
        P::SelectedDifferentCipherSuiteAfterRetry => {
            "it chose another cipher suite after its retry request"
        }
        P::SelectedInvalidPsk => "it chose a session to resume that does not exist",
        P::SelectedTls12UsingTls13VersionExtension => "it chose TLS 1.2 in the way of TLS 1.3",
        P::SelectedUnofferedApplicationProtocol => {
            "it chose an application protocol that was not offered"
        }
        P::SelectedUnofferedCertCompression => {
            "it compressed its certificate in a way that was not offered"
        }
        P::SelectedUnofferedCipherSuite => "it chose a cipher suite that was not offered",
        P::SelectedUnofferedCompression => "it chose a compression that was not offered",
        P::SelectedUnofferedKxGroup => "it chose a key exchange group that was not offered",
        P::SelectedUnofferedPsk => "it resumed a session that was not offered",
        P::SelectedUnusableCipherSuiteForVersion => {
            "it chose a cipher suite of another version of TLS"
        }
        P::ServerEchoedCompatibilitySessionId => "it resumed a session that never was",
        P::ServerHelloMustOfferUncompressedEcPoints => {
            "its greeting lacks uncompressed elliptic curve points"
        }
        P::ServerNameDifferedOnRetry => "the host name changed between two greetings",
        P::ServerNameMustContainOneHostName => "a client's greeting has no host name, or several",
        P::SignedKxWithWrongAlgorithm => {
            "it signed with another kind of key than its certificate's"
        }
        P::SignedHandshakeWithUnadvertisedSigScheme => "it signed in a way that was not offered",
        P::TooManyEmptyFragments => "it sends empty records without end",
        P::TooManyKeyUpdateRequests => "it changes keys without end",
        P::TooManyRenegotiationRequests => "it begins the handshake again without end",
        P::TooManyWarningAlertsReceived => "it sends warnings without end",
        P::TooMuchEarlyDataReceived => "more early data came than may",
        P::UnexpectedCleartextExtension => {
            "it left an extension in the clear that must be encrypted"
        }
        P::UnsolicitedCertExtension => {
            "its certificate came with an extension that nobody asked for"
        }
        P::UnsolicitedEncryptedExtension => "it sent an encrypted extension that nobody asked for",
        P::UnsolicitedSctList => "it sent certificate timestamps that nobody asked for",
        P::UnsolicitedServerHelloExtension => "its greeting has an extension that nobody asked for",
        P::WrongGroupForKeyShare => "its key share is of another group than asked for",
        P::UnsolicitedEchExtension => "it answered an encrypted greeting that was not sent",
        _ => "it did what the protocol forbids",
    }
}

/// What is wrong with a message.
pub(super) fn malformed(reason: &InvalidMessage) -> &'static str {
    use InvalidMessage as M;
    match reason {
        M::CertificatePayloadTooLarge => "its certificates are larger than 64 kB",
        M::HandshakePayloadTooLarge => "a message of the handshake is too large",
        M::InvalidCcs => "a change of ciphers is malformed",
        M::InvalidContentType => "a record is of no known type",
        M::InvalidCertificateStatusType => "a certificate's status is of no known type",
        M::InvalidCertRequest => "its request for a client certificate is malformed",
        M::InvalidDhParams => "its Diffie-Hellman parameters are malformed",
        M::InvalidEmptyPayload => "a record is empty that must not be",
        M::InvalidKeyUpdate => "a change of keys is malformed",
        M::InvalidServerName => "a host name is malformed",
        M::MessageTooLarge => "a record is larger than 16 kB",
        M::MessageTooShort => "a message ends too early",
        M::MissingData(_) => "a message lacks a part",
        M::MissingKeyExchange => "the key exchange is missing",
        M::NoSignatureSchemes => "a list of kinds of signature is empty",
        M::TrailingData(_) => "a message has something behind its end",
        M::UnexpectedMessage(_) => "a message came that does not belong there",
        M::UnknownProtocolVersion => "a record is of no known version",
        M::UnsupportedCompression => "it compresses, which is not supported",
        M::UnsupportedCurveType => "its elliptic curve is written in a way that is not supported",
        M::UnsupportedKeyExchangeAlgorithm(_) => {
            "its key exchange is of a kind that is not supported"
        }
        M::EmptyTicketValue => "a session ticket is empty",
        M::IllegalEmptyList(_) => "a list is empty that must not be",
        M::IllegalEmptyValue => "a value is empty that must not be",
        M::DuplicateExtension(_) => "an extension stands twice in a message",
        M::PreSharedKeyIsNotFinalExtension => {
            "the resumed session does not stand last in a greeting"
        }
        M::UnknownHelloRetryRequestExtension => "its retry request has an unknown extension",
        M::UnknownCertificateExtension => "its certificate came with an unknown extension",
        _ => "a message is malformed",
    }
}
