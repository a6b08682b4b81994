#ifndef KAYA_SETTINGS_PRIVATE_H
#define KAYA_SETTINGS_PRIVATE_H

/* What the modules behind settings.h share.  Nobody else includes it. */

#include "settings.h"

/* What no single value of `gateway` shows. */
void settings_check_gateway(
    struct conf_teller *teller, const struct settings *s);

/* The same, or both NULL. */
bool settings_same_text(const char *a, const char *b);

#endif
