#include "policy_starter.h"

#include "policy_private.h"

const char policy_starter[] =
    "# The policy to begin with; see kaya-policy(5).\n"
    "#\n"
    "# Who has a key may publish and read whatever does not begin with $, may\n"
    "# read the broker's $SYS, and may use nobody else's client id. That is a\n"
    "# broker without secrets between its clients: good for a first hour. To\n"
    "# tighten it, put the roles at the end of this file in the place of "
    "those\n"
    "# here. In its state folder kayad reads the file again when it changes.\n"
    "#\n"
    "#     kaya policy test FILE IDENTITY publish TOPIC   what it may do, and "
    "why\n"
    "#     kaya policy lint FILE                          what has no effect\n"
    "\n"
    "roles:\n"
    "  - name: member\n"
    "    publish: \"#\"\n"
    "    subscribe: [\"#\", \"$SYS/#\"]\n"
    "    retain: yes\n"
    "\n"
    "identities:\n"
    "  - {names: \"*\", roles: member}\n"
    "\n"
    "# Devices that publish below their own name and hear what is for them, "
    "and\n"
    "# an operator who sees all of it:\n"
    "#\n"
    "# roles:\n"
    "#   - name: device\n"
    "#     publish: [\"devices/%i/#\"]\n"
    "#     subscribe: [\"commands/%i/#\"]\n"
    "#     client_ids: [\"%i\", \"%i-*\"]\n"
    "#     retain: yes\n"
    "#     payload: 64KiB\n"
    "#     rate: 20\n"
    "#   - name: operator\n"
    "#     publish: [\"commands/#\"]\n"
    "#     subscribe: [\"devices/#\", \"commands/#\"]\n"
    "#\n"
    "# identities:\n"
    "#   - {names: [\"pump-*\", meter-1], roles: device}\n"
    "#   - {names: ann, roles: operator}\n";

bool
policy_doc_manual(struct span page, struct buf *out)
{
	return conf_manual_renew(
	    page, POLICY_DOC_BEGIN, POLICY_DOC_END, policy_keys, out);
}
