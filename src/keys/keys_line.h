#ifndef KAYA_KEYS_LINE_H
#define KAYA_KEYS_LINE_H

/* keys_line: write the line that lets a key in and leaves it no room. */

/* What an ssh session gets in place of a shell. */
#define KEYS_LINE_COMMAND "command=\"echo This key carries MQTT only\""

#endif
