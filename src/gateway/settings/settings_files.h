#ifndef KAYA_SETTINGS_FILES_H
#define KAYA_SETTINGS_FILES_H

/* settings_files: what the settings name, as it is on this machine. */

#include "settings.h"

/*
 * Look at each file, folder, program and user that the settings name: is it
 * there, is it of the right kind, is it as secret as it must be?  Those that
 * kayad makes itself where they are missing are no fault.  0, or -1 where
 * there were faults: all told to `fn` (may be NULL), the first in `err`
 * (may be NULL).
 */
int settings_check_files(const struct settings *settings, conf_fault_fn fn,
    void *arg, struct err *err);

/*
 * The path of a program: as it is where it holds a slash, else looked for in
 * PATH, /usr/local/sbin, /usr/sbin, /sbin.  False where there is none that
 * may be run.
 */
bool settings_find_program(const char *program, char *path, size_t size);

#endif
