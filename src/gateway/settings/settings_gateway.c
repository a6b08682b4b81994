/* settings_gateway: other gateways, as the file names them. */

#include "settings.h"

#include "pubkey.h"
#include "settings_private.h"
#include "str.h"

#include <stdio.h>

bool
settings_peer_key(const struct settings_peer *peer, uint8_t *blob, size_t *len,
    const char **why)
{
	struct span text = span_of_str(peer->host_key);
	size_t word = strcspn(peer->host_key, " \t");
	enum pubkey_type type = pubkey_type_of_word(span_of(text.data, word));
	struct pubkey key;
	size_t rest;

	*why = "it is no public key: `ssh-ed25519 AAAA...` or `ssh-rsa ...`";
	if (type == PUBKEY_UNKNOWN)
		return false;
	*why = "a gateway's host key is Ed25519 or RSA";
	if (type != PUBKEY_ED25519 && type != PUBKEY_RSA)
		return false;
	word += strspn(peer->host_key + word, " \t");
	rest = strcspn(peer->host_key + word, " \t");
	*why = "its base64 is not that of a key of this type";
	return pubkey_decode(span_of(text.data + word, rest), blob,
		   PUBKEY_MAX_BYTES, len) == PUBKEY_GOOD &&
	       pubkey_read(span_of(blob, *len), type, &key) == PUBKEY_GOOD;
}

static void
check_peer(struct conf_teller *teller, const struct settings *s, size_t i)
{
	const struct settings_peer *peer = &s->gateway.peers[i];
	uint8_t blob[PUBKEY_MAX_BYTES];
	char path[CONF_PATH_MAX];
	const char *why;
	size_t len;

	snprintf(path, sizeof path, "gateway.peers[%zu].host_key", i);
	if (peer->host_key != NULL &&
	    !settings_peer_key(peer, blob, &len, &why))
		conf_tell(teller, path,
		    "write the line that `ssh-keygen -y -f` prints for that "
		    "gateway's host key",
		    "%s", why);
	snprintf(path, sizeof path, "gateway.peers[%zu].name", i);
	if (peer->name == NULL)
		return;
	if (s->gateway.name != NULL && strcmp(peer->name, s->gateway.name) == 0)
		conf_tell(teller, path, "name the others alone",
		    "this is gateway.name again");
	for (size_t k = 0; k < i; k++)
		if (s->gateway.peers[k].name != NULL &&
		    strcmp(peer->name, s->gateway.peers[k].name) == 0)
			conf_tell(teller, path, "give each its own name",
			    "gateway.peers[%zu] is called %s too", k,
			    peer->name);
}

void
settings_check_gateway(struct conf_teller *teller, const struct settings *s)
{
	const struct settings_gateway *gateway = &s->gateway;

	if (gateway->peer_count > 0 && gateway->name == NULL)
		conf_tell(teller, "gateway.peers",
		    "add `name:` under `gateway:`, as the others call it",
		    "others cannot know a gateway that has no name");
	if (gateway->peer_count > SETTINGS_PEERS_MAX)
		conf_tell(teller, "gateway.peers", "name 16 at most",
		    "%zu are named", gateway->peer_count);
	if (gateway->secret_file != NULL && gateway->username == NULL)
		conf_tell(teller, "gateway.secret_file",
		    "add `username:`, or take it out",
		    "nobody would send this secret");
	for (size_t i = 0; i < gateway->peer_count; i++)
		check_peer(teller, s, i);
}

bool
settings_same_gateways(const struct settings *a, const struct settings *b)
{
	const struct settings_gateway *x = &a->gateway, *y = &b->gateway;

	if (!settings_same_text(x->name, y->name) ||
	    !settings_same_text(x->username, y->username) ||
	    !settings_same_text(x->secret_file, y->secret_file) ||
	    x->peer_count != y->peer_count)
		return false;
	for (size_t i = 0; i < x->peer_count; i++)
		if (!settings_same_text(x->peers[i].name, y->peers[i].name) ||
		    !settings_same_text(
			x->peers[i].host_key, y->peers[i].host_key))
			return false;
	return true;
}
