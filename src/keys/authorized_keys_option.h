#ifndef KAYA_AUTHORIZED_KEYS_OPTION_H
#define KAYA_AUTHORIZED_KEYS_OPTION_H

/*
 * authorized_keys_option: one option and what it does to its line.  A part of
 * authorized_keys; allowed_signers, whose options are written in the same way,
 * shares it, and nobody else includes it.
 */

#include "authorized_keys.h"

/*
 * Take one option from the front of `s`.  As in sshd a name need only begin
 * the text: what stands behind it is then found not to be a comma.
 * FAULT_NONE, FAULT_UNKNOWN, FAULT_NO_QUOTE or FAULT_QUOTE_OPEN.
 */
enum authorized_keys_fault authorized_keys_take_option(
    struct span *s, struct authorized_keys_option *option);

/* Let it act.  FAULT_NONE, or what is wrong with its value or its place. */
enum authorized_keys_fault authorized_keys_apply(
    struct authorized_keys_line *line,
    const struct authorized_keys_option *option);

/*
 * The option whose whole name `word` is, though it has no value where it must
 * have one; OPTION_COUNT for any other word.
 */
enum authorized_keys_option_id authorized_keys_valueless(struct span word);

/*
 * A value in quotes at the front, which `s` is moved past; a quote inside still
 * stands as \".  False where there is none.
 */
bool authorized_keys_take_value(struct span *s, struct span *value);

/*
 * YYYYMMDD[HHMM[SS]], in local time unless Z or UTC stands behind it, as
 * seconds since 1970.  False where it is no time after that.
 */
bool authorized_keys_time(struct span text, int64_t *when);

#endif
