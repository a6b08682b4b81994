#include "invite_code.h"

#include "pubkey.h"

#include <ctype.h>

enum {
	BODY_BYTES = INVITE_CODE_SECRET_BYTES + INVITE_CODE_HOST_BYTES,
	SYMBOLS = INVITE_CODE_BYTES * 8 / 5,
	GROUP = 6
};

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void
put_check(uint8_t bytes[INVITE_CODE_BYTES])
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	pubkey_digest(span_of(bytes, BODY_BYTES), digest);
	memcpy(bytes + BODY_BYTES, digest, INVITE_CODE_BYTES - BODY_BYTES);
}

static int
value_of(uint8_t letter)
{
	int lower = tolower(letter);
	const char *at;

	if (lower == 'o')
		lower = '0';
	if (lower == 'i' || lower == 'l')
		lower = '1';
	at = lower == '\0' ? NULL : strchr(alphabet, lower);
	return at == NULL ? -1 : (int)(at - alphabet);
}

/* The symbols' bits, in order, as bytes. */
static bool
read_symbols(struct span text, uint8_t bytes[INVITE_CODE_BYTES])
{
	size_t count = 0;

	memset(bytes, 0, INVITE_CODE_BYTES);
	for (size_t i = 0; i < text.len; i++) {
		int value;

		if (text.data[i] == '-' || text.data[i] == ' ')
			continue;
		value = value_of(text.data[i]);
		if (value < 0 || count == SYMBOLS)
			return false;
		for (size_t bit = 0; bit < 5; bit++)
			if (value & (16 >> bit)) {
				size_t at = count * 5 + bit;

				bytes[at / 8] =
				    (uint8_t)(bytes[at / 8] | 128 >> at % 8);
			}
		count++;
	}
	return count == SYMBOLS;
}

enum invite_code_result
invite_code_parse(struct span text, struct invite_code *code)
{
	uint8_t bytes[INVITE_CODE_BYTES], wanted[INVITE_CODE_BYTES];
	enum invite_code_result result = INVITE_CODE_GOOD;

	memset(code, 0, sizeof *code);
	if (!read_symbols(text, bytes)) {
		explicit_bzero(bytes, sizeof bytes);
		return INVITE_CODE_NONE;
	}
	memcpy(wanted, bytes, sizeof wanted);
	put_check(wanted);
	if (memcmp(wanted, bytes, sizeof wanted) != 0)
		result = INVITE_CODE_SLIP;
	else {
		memcpy(code->secret, bytes, sizeof code->secret);
		memcpy(
		    code->host, bytes + sizeof code->secret, sizeof code->host);
	}
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(wanted, sizeof wanted);
	return result;
}

bool
invite_code_is_of(const struct invite_code *code, struct span host_key_blob)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	pubkey_digest(host_key_blob, digest);
	return memcmp(code->host, digest, sizeof code->host) == 0;
}

void
invite_code_make(struct invite_code *code,
    const uint8_t secret[INVITE_CODE_SECRET_BYTES], struct span host_key_blob)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	pubkey_digest(host_key_blob, digest);
	memcpy(code->secret, secret, sizeof code->secret);
	memcpy(code->host, digest, sizeof code->host);
}

void
invite_code_text(const struct invite_code *code, char text[INVITE_CODE_SIZE])
{
	uint8_t bytes[INVITE_CODE_BYTES];
	char *at = text;

	memcpy(bytes, code->secret, sizeof code->secret);
	memcpy(bytes + sizeof code->secret, code->host, sizeof code->host);
	put_check(bytes);
	for (size_t i = 0; i < SYMBOLS; i++) {
		unsigned value = 0;

		for (size_t bit = i * 5; bit < i * 5 + 5; bit++)
			value =
			    value << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
		if (i > 0 && i % GROUP == 0)
			*at++ = '-';
		*at++ = alphabet[value];
	}
	*at = '\0';
	explicit_bzero(bytes, sizeof bytes);
}
