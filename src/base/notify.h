#ifndef KAYA_NOTIFY_H
#define KAYA_NOTIFY_H

/*
 * notify: telling systemd how we are (sd_notify(3)): "READY=1", "STOPPING=1",
 * "STATUS=...".  Nothing where NOTIFY_SOCKET is not set; a message that does
 * not arrive is no failure.
 */
void notify_systemd(const char *message);

#endif
