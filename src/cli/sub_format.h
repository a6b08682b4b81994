#ifndef KAYA_SUB_FORMAT_H
#define KAYA_SUB_FORMAT_H

/* sub_format: how kaya sub -F prints a message. */

#include <mosquitto.h>
#include <stdbool.h>
#include <stdio.h>

#define SUB_FORMAT_LETTERS "t p x l q r m I U j %"

/* Whether every % is followed by a letter that is known. */
bool sub_format_check(const char *format);

/* Print `message` by a format that was checked. */
void sub_format_print(
    const char *format, const struct mosquitto_message *message, FILE *to);

#endif
