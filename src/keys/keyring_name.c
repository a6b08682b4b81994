#include "keyring_name.h"

#include "wire.h"

#include <stdio.h>

enum {
	SHOWN_MAX = 64, /* of a name in a sentence */
	LISTED_MAX = 40 /* of a list's names, in sshd */
};

/*
 * Letter by letter, as sshd compares them, and no further than sshd reads: an
 * empty name ends the list.
 */
static bool
is_listed(struct span list, struct span principal)
{
	size_t start = 0, count = 0;

	if (list.data == NULL)
		return true;
	for (size_t i = 0; i <= list.len; i++) {
		if (i < list.len && list.data[i] != ',')
			continue;
		if (i == start || ++count > LISTED_MAX)
			return false;
		if (span_equal(
			principal, span_of(list.data + start, i - start)))
			return true;
		start = i + 1;
	}
	return false;
}

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
		if (!is_listed(list, name))
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
