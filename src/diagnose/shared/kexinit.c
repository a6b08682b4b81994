#include "kexinit.h"

#include "wire.h"

enum { MESSAGE_KEXINIT = 20, COOKIE_BYTES = 16 };

static const struct {
	const char *name, *option;
} lists[] = {
    [KEXINIT_KEX] = {"key exchange", "KexAlgorithms"},
    [KEXINIT_HOST_KEY] = {"host key type", "HostKeyAlgorithms"},
    [KEXINIT_CIPHER_OUT] = {"cipher", "Ciphers"},
    [KEXINIT_CIPHER_IN] = {"cipher", "Ciphers"},
    [KEXINIT_MAC_OUT] = {"MAC", "MACs"},
    [KEXINIT_MAC_IN] = {"MAC", "MACs"},
    [KEXINIT_COMPRESSION_OUT] = {"compression", "Compression"},
    [KEXINIT_COMPRESSION_IN] = {"compression", "Compression"},
};

const char *
kexinit_list_name(enum kexinit_list list)
{
	return lists[list].name;
}

const char *
kexinit_list_option(enum kexinit_list list)
{
	return lists[list].option;
}

enum kexinit_result
kexinit_read(struct span bytes, struct kexinit *kexinit)
{
	uint32_t length;
	uint8_t padding, message;
	struct span packet, unused;

	if (!wire_take_u32(&bytes, &length))
		return KEXINIT_NEED_MORE;
	if (length < 12 || length > KEXINIT_MAX)
		return KEXINIT_MALFORMED;
	if (!wire_take_bytes(&bytes, length, &packet))
		return KEXINIT_NEED_MORE;
	if (!wire_take_u8(&packet, &padding) || padding >= packet.len)
		return KEXINIT_MALFORMED;
	packet.len -= padding;
	if (!wire_take_u8(&packet, &message) || message != MESSAGE_KEXINIT ||
	    !wire_take_bytes(&packet, COOKIE_BYTES, &unused))
		return KEXINIT_MALFORMED;
	for (size_t i = 0; i < KEXINIT_LISTS; i++)
		if (!wire_take_string32(&packet, &kexinit->lists[i]))
			return KEXINIT_MALFORMED;
	return KEXINIT_READY;
}

bool
kexinit_next(struct span *list, struct span *name)
{
	const uint8_t *comma;

	if (list->len == 0)
		return false;
	comma = memchr(list->data, ',', list->len);
	if (comma == NULL) {
		*name = *list;
		*list = (struct span){0};
		return true;
	}
	*name = span_of(list->data, (size_t)(comma - list->data));
	*list = span_of(comma + 1, list->len - name->len - 1);
	return true;
}

bool
kexinit_has(struct span list, struct span name)
{
	struct span one;

	while (kexinit_next(&list, &one))
		if (span_equal(one, name))
			return true;
	return false;
}

static bool
begins(struct span name, const char *text)
{
	size_t len = strlen(text);

	return name.len >= len && memcmp(name.data, text, len) == 0;
}

bool
kexinit_is_pseudo(struct span name)
{
	return begins(name, "ext-info-") || begins(name, "kex-strict-");
}

static bool
has_own_mac(struct span cipher)
{
	return begins(cipher, "chacha20-poly1305") ||
	       span_is(cipher, "aes128-gcm@openssh.com") ||
	       span_is(cipher, "aes256-gcm@openssh.com");
}

/* The client's first name that the server has too (RFC 4253 section 7.1). */
static bool
meet(struct span client, struct span server, struct span *name)
{
	while (kexinit_next(&client, name))
		if (!kexinit_is_pseudo(*name) && kexinit_has(server, *name))
			return true;
	return false;
}

enum kexinit_list
kexinit_gap(const struct kexinit *client, const struct kexinit *server)
{
	struct span name[KEXINIT_LISTS];

	for (int i = 0; i < KEXINIT_LISTS; i++) {
		if ((i == KEXINIT_MAC_OUT || i == KEXINIT_MAC_IN) &&
		    has_own_mac(name[i - KEXINIT_MAC_OUT + KEXINIT_CIPHER_OUT]))
			continue;
		if (!meet(client->lists[i], server->lists[i], &name[i]))
			return (enum kexinit_list)i;
	}
	return KEXINIT_LISTS;
}
