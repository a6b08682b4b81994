#ifndef KAYA_DOCTOR_COMMAND_H
#define KAYA_DOCTOR_COMMAND_H

/*
 * doctor_command: what an ssh command, or an alias of ssh_config, does wrong;
 * the command that was meant; and the walk of doctor.h by its settings.
 *
 *	command corrected, then dns tcp banner ... as in doctor.h
 */

#include "doctor.h"

/*
 * `words` (NULL-ended): "ssh" and its words, one word that holds a whole
 * command, or an alias alone.  Of `options` the link is filled here; where the
 * command forwards nothing the broker is theirs.  0, or -1 and `err` where
 * there is nothing to look at.
 */
int doctor_command_run(const struct doctor_options *options,
    const char *const *words, struct findings *findings, struct err *err);

#endif
