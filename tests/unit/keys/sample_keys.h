#ifndef KAYA_SAMPLE_KEYS_H
#define KAYA_SAMPLE_KEYS_H

/* Public keys made for the tests; nobody has their private halves. */

#define KEY_ED_BASE64                                                          \
	"AAAAC3NzaC1lZDI1NTE5AAAAIN6nktejJNk5YssJHz1m2+C6fuaLDx6AD/EV"         \
	"vjOZdI5G"
#define KEY_ED		   "ssh-ed25519 " KEY_ED_BASE64
#define KEY_ED_FINGERPRINT "SHA256:2n1hF5aaUh0if/cD+hUKjsL8oNP/a5ARMFPpNTOPmQA"

#define KEY_ED2_BASE64                                                         \
	"AAAAC3NzaC1lZDI1NTE5AAAAIMBQTra8SAGcoDw4GssrbpWqo+wt4qccvV60"         \
	"laH3inFk"
#define KEY_ED2		    "ssh-ed25519 " KEY_ED2_BASE64
#define KEY_ED2_FINGERPRINT "SHA256:x+embvmChRehc3rZaBfc21IRLa+Q/ihQKpCXjDa3rTM"

#define KEY_EC256_BASE64                                                       \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPaO1OYD"         \
	"Yfgm0U2S8ZQv0ws5pba5LnwkAcuv4bgVxZzndeOsemHhZkb9Ib2ENXYspvrb"         \
	"35TrthNlo9DlAmI1ov8="
#define KEY_EC256 "ecdsa-sha2-nistp256 " KEY_EC256_BASE64
#define KEY_EC256_FINGERPRINT                                                  \
	"SHA256:oZbsI7wz9XVgJ2iZ/VIEypSBeEEh7i+i2SW4pFPH9mg"

#define KEY_EC384_BASE64                                                       \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBOvNOhXu"         \
	"l5vo+PRxO8l9a2TgxB+24ooxrlRrPI8+fPYRSk5CpaHHJorJEtC7Ji5JvknT"         \
	"g3Gmw5AMtB4laMWRyxtbnKetjU/3bDV8AgbOoFmY/m/lLBOJ6k7O+iICc37k"         \
	"MQ=="
#define KEY_EC384 "ecdsa-sha2-nistp384 " KEY_EC384_BASE64
#define KEY_EC384_FINGERPRINT                                                  \
	"SHA256:6OZMX1y9A/FuoeDhOOKAMymVIPiuscLfb1UXcYGqO+w"

#define KEY_EC521_BASE64                                                       \
	"AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAA5cyWf"         \
	"NGKNQNSInOMTXMfLIHeP9jUZSdHkV4+/ap8mKqmEOf3f12Q6KUEfNl5EAINS"         \
	"KMLz0ammENPtrtBn6+QClQDpXTFACJvfAmRwfRqwfOSXVFMganwRP04Es6lf"         \
	"7FmDInkCFganW93EHGixUIFNo4nUtksniNVWu+Cqk31LUcjz/A=="
#define KEY_EC521 "ecdsa-sha2-nistp521 " KEY_EC521_BASE64
#define KEY_EC521_FINGERPRINT                                                  \
	"SHA256:KhBAD7XeF3I6DvrrwiNmhhB7AezuqAO1SgwunkqVOoo"

#define KEY_RSA2048_BASE64                                                     \
	"AAAAB3NzaC1yc2EAAAADAQABAAABAQDIig+1huEUstH//GfWQUDwwoev8buG"         \
	"2mbaUAkUU+o+8/YYFp806q9/GClJ6ttU13Ugsidpr33SWztgmCace1yE2esa"         \
	"v15BgSM0+RqzYq+tde19jM9b2wNFFcjLa+QMQ8C8gbJ8Kr6J5vMrxGVhYZkA"         \
	"5rOp3JI8EZhKDOCFhCZDkHnYm736mvuGjlVE35LsBv6n8BQqddwmhh708T94"         \
	"y7KYtGEOuSfboE1Sb8wl7Ug74wd7hmr+6Y/O0PoOqmShMWDt1NFv81PtlkNx"         \
	"siEv5ZWBTkW/Zel8w30cXh6wRz8+JdYe9X8augdrPAW81OaKHY/IOAIkEGsP"         \
	"eFIoppniCBgl"
#define KEY_RSA2048 "ssh-rsa " KEY_RSA2048_BASE64
#define KEY_RSA2048_FINGERPRINT                                                \
	"SHA256:P4ybYSu6phu/z//iHbxb8vsG024Hsx97Cx6jv4Vvu3E"

#define KEY_RSA1024_BASE64                                                     \
	"AAAAB3NzaC1yc2EAAAADAQABAAAAgQDYDO6/5DVfoU/oVmaZ8ZSXNwxaSn1N"         \
	"PQ+0vqKAx6uDHfrtH9QpJ9jZM5jRis3OzDZy9thDX6vFsBUDR6reCYwWoxIp"         \
	"Z0/T0Wok86D7UoGEovnf/WBKp+WASsc2fhtqg+J1le8RkP+MrVJ1pqgKv8OD"         \
	"gf50GvEYKouDVRpiBR2gXw=="
#define KEY_RSA1024 "ssh-rsa " KEY_RSA1024_BASE64
#define KEY_RSA1024_FINGERPRINT                                                \
	"SHA256:6qycQCxycp8LorNZ0C3zHHapbPIIwSeqCWd4HOoZNRY"

#define KEY_DSA_BASE64                                                         \
	"AAAAB3NzaC1kc3MAAACBAI8HzpxIn5P/MQFMqgu8AuK9awp5swDhPF8Xo0dX"         \
	"knnDBo2YLVBkyuaHOAjiLmxtkpgWRiYef1+5p6kepsXuZLyx8X7wA/vPI52j"         \
	"ZUMiTKdqRX4LTed48Mtz7OUXr3E/KGP/YaBWGQngyUArY+if8sL875eqyhPn"         \
	"y617Yi/qq8fvAAAAFQDOMt0Ui87K/qiumDVHscp8v69KTQAAAIB5IFpRwVvG"         \
	"7mkAdxZVUdtNjbB5sGiVJgjUqBO7RwXoLMZ+g6q6JWa9ekJkE2udNZrmhg9B"         \
	"mEhtIzNzHmKTQLMLOMbEkNyAY5gxweu/Ln9rjzPf08luBiykuLTxTMAQKPS4"         \
	"4s1j2dcn7z8vyvW2zTDwiffUvFGB8KaA8i5oaYQYqAAAAIB/Ln+xsmHSYNcf"         \
	"OmR7Sxmgwnym/54UEiuhbrOUrcDi+0hgv4NPwbbJvez1Or0PmQfIJfSD77WA"         \
	"XAH+N811uYTL3PGY13tGgph+CVV1XrKY+lBZBChtLSm4YJgNUbu9oxivLNkF"         \
	"YW/nh4l8F5XPoW+H4X5mo+tb54I7SEL5PozsyQ=="
#define KEY_DSA		    "ssh-dss " KEY_DSA_BASE64
#define KEY_DSA_FINGERPRINT "SHA256:Ua5rmfbN0WulfxvYGTt1T59uGWY6sTXMfOiOaEjC9as"

#define KEY_SK_ED_BASE64                                                       \
	"AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIN6nktejJNk5YssJ"         \
	"Hz1m2+C6fuaLDx6AD/EVvjOZdI5GAAAABHNzaDo="
#define KEY_SK_ED "sk-ssh-ed25519@openssh.com " KEY_SK_ED_BASE64
#define KEY_SK_ED_FINGERPRINT                                                  \
	"SHA256:2VvWCt2T5m+c5q1Qlwun8xfvGFkUYVhOV25jiGwKfQc"

#define KEY_SK_EC_BASE64                                                       \
	"AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlz"         \
	"dHAyNTYAAABBBPaO1OYDYfgm0U2S8ZQv0ws5pba5LnwkAcuv4bgVxZzndeOs"         \
	"emHhZkb9Ib2ENXYspvrb35TrthNlo9DlAmI1ov8AAAAEc3NoOg=="
#define KEY_SK_EC "sk-ecdsa-sha2-nistp256@openssh.com " KEY_SK_EC_BASE64
#define KEY_SK_EC_FINGERPRINT                                                  \
	"SHA256:DF9FGJlVBkDaYt5H1wlJgxm4IE6hZi1h9HiGC0zLT4o"

#define KEY_CERT_BASE64                                                        \
	"AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIHDYRRdH"         \
	"t8M1AXWttKGDeCWjj7ISHnAssDP6w0ulllGdAAAAIMBQTra8SAGcoDw4Gssr"         \
	"bpWqo+wt4qccvV60laH3inFkAAAAAAAAAAAAAAABAAAAAXgAAAAFAAAAAXUA"         \
	"AAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJk"         \
	"aW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVy"         \
	"bWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAO"         \
	"cGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAg"         \
	"3qeS16Mk2TliywkfPWbb4Lp+5osPHoAP8RW+M5l0jkYAAABTAAAAC3NzaC1l"         \
	"ZDI1NTE5AAAAQBpCzrlfgxZUPVCpgiij9uOMmukamoe7QF/XbO71LFKfaPZY"         \
	"RLHMi9m+4fNwpt8cQfT+RXMTXlM4CBmZb7Wi3Qg="
#define KEY_CERT "ssh-ed25519-cert-v01@openssh.com " KEY_CERT_BASE64
#define KEY_CERT_FINGERPRINT                                                   \
	"SHA256:x+embvmChRehc3rZaBfc21IRLa+Q/ihQKpCXjDa3rTM"

#endif
