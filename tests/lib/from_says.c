/*
 * from_says: what the matcher of kaya and kayad says of a list of `from`, for a
 * test that asks sshd the same.  Each line of standard input is an address, a
 * tab and the list; each answer a line.
 */

#include "netaddr.h"

#include <stdio.h>
#include <string.h>

static const char *const answers[] = {
    [NETADDR_NO_MATCH] = "no",
    [NETADDR_MATCH] = "yes",
    [NETADDR_FORBIDDEN] = "forbidden",
    [NETADDR_INVALID] = "invalid",
};

int
main(void)
{
	static char line[1 << 16];
	struct netaddr client;

	while (fgets(line, sizeof line, stdin) != NULL) {
		char *tab = strchr(line, '\t');

		line[strcspn(line, "\n")] = '\0';
		if (tab == NULL)
			return 1;
		*tab = '\0';
		if (!netaddr_parse(span_of_str(line), &client))
			return 1;
		puts(
		    answers[netaddr_match_list(&client, span_of_str(tab + 1))]);
		fflush(stdout);
	}
	return 0;
}
