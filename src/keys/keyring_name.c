#include "keyring_name.h"

#include "authorized_keys.h"
#include "wire.h"

#include <stdio.h>

enum { SHOWN_MAX = 64 }; /* of a name in a sentence */

static const char *
show(struct span name, char text[SHOWN_MAX])
{
	return str_escape(name, text, SHOWN_MAX);
}

bool
keyring_name(const struct keyring_certificate *certificate, struct span list,
    struct keyring_verdict *v)
{
	struct span in = certificate->principals, name;
	struct span chosen = {.data = NULL};
	bool is_users = false, has_others = false;
	char text[SHOWN_MAX];

	while (wire_take_string32(&in, &name)) {
		if (list.data != NULL &&
		    !authorized_keys_has_principal(list, name))
			continue;
		is_users = is_users || span_equal(name, certificate->user);
		if (chosen.data == NULL)
			chosen = name;
		has_others = has_others || !span_equal(name, chosen);
	}
	if (is_users)
		chosen = certificate->user;
	if (chosen.data == NULL)
		snprintf(v->why, sizeof v->why,
		    "the certificate has none of the line's principals");
	else if (!is_users && has_others)
		snprintf(v->why, sizeof v->why,
		    "the certificate has several principals, and the user "
		    "name %s is none of them",
		    show(certificate->user, text));
	else if (!str_is_name(chosen))
		snprintf(v->why, sizeof v->why,
		    "the principal %s cannot be an identity",
		    show(chosen, text));
	else
		return span_to_str(chosen, v->identity, sizeof v->identity);
	return false;
}
