# The user of the services exists before a unit is started; nothing is enabled here.
systemd-sysusers netapi.conf || :
systemctl daemon-reload >/dev/null 2>&1 || :
