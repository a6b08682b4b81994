#include "survey_private.h"

#include "clock.h"
#include "str.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

/* "SHA256:..." as host keys have it: base64 without padding. */
static void
fingerprint(struct span bytes, char text[64])
{
	uint8_t hash[32];
	char base64[48];

	text[0] = '\0';
	if (EVP_Digest(bytes.data, bytes.len, hash, NULL, EVP_sha256(), NULL) !=
	    1)
		return;
	str_base64_encode(span_of(hash, sizeof hash), base64);
	base64[43] = '\0';
	snprintf(text, 64, "SHA256:%s", base64);
}

static void
put_name(struct buf *out, const char *before, X509_NAME *name)
{
	char text[SURVEY_LINE], escaped[SURVEY_LINE];

	if (X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof text) <
		0 &&
	    X509_NAME_get_text_by_NID(
		name, NID_organizationName, text, sizeof text) < 0)
		snprintf(text, sizeof text, "?");
	buf_append_str(out, before);
	buf_append_str(
	    out, str_escape(span_of_str(text), escaped, sizeof escaped));
}

static void
describe(struct survey_way *way, X509 *certificate)
{
	struct buf text;

	buf_init(&text, sizeof way->certificate - 1);
	put_name(&text, "", X509_get_subject_name(certificate));
	put_name(&text, ", by ", X509_get_issuer_name(certificate));
	(void)span_to_str(
	    buf_span(&text), way->certificate, sizeof way->certificate);
	buf_fini(&text);
}

/* A pin may name the public key or the whole certificate. */
static bool
is_pinned(struct survey_way *way, X509 *certificate, const char *pin)
{
	unsigned char *key = NULL, *whole = NULL;
	int key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	int whole_len = i2d_X509(certificate, &whole);
	char other[64] = "";

	if (key_len > 0)
		fingerprint(span_of(key, (size_t)key_len), way->tls_pin);
	if (whole_len > 0)
		fingerprint(span_of(whole, (size_t)whole_len), other);
	OPENSSL_free(key);
	OPENSSL_free(whole);
	return pin != NULL &&
	       (strcmp(pin, way->tls_pin) == 0 || strcmp(pin, other) == 0);
}

static void
judge(const struct survey *survey, struct survey_way *way, SSL *tls)
{
	const char *pin = survey->options->tls_pin;
	X509 *certificate = SSL_get1_peer_certificate(tls);
	long result = SSL_get_verify_result(tls);

	if (certificate == NULL)
		return;
	describe(way, certificate);
	if (is_pinned(way, certificate, pin))
		way->tls = TLS_PINNED;
	else if (pin != NULL)
		way->tls = TLS_NOT_PINNED;
	else
		way->tls = result == X509_V_OK ? TLS_VALID : TLS_NOT_VALID;
	if (result != X509_V_OK)
		snprintf(way->tls_why, sizeof way->tls_why, "%s",
		    X509_verify_cert_error_string(result));
	X509_free(certificate);
}

/* Until it is done, has failed, or the time is up. */
static bool
shake_hands(SSL *tls, int fd, uint64_t until_ms)
{
	for (;;) {
		struct pollfd slot = {.fd = fd};
		uint64_t now = clock_monotonic_ms();
		int result = SSL_connect(tls);

		if (result == 1)
			return true;
		switch (SSL_get_error(tls, result)) {
		case SSL_ERROR_WANT_READ:
			slot.events = POLLIN;
			break;
		case SSL_ERROR_WANT_WRITE:
			slot.events = POLLOUT;
			break;
		default:
			return false;
		}
		if (now >= until_ms ||
		    poll(&slot, 1, (int)(until_ms - now)) != 1)
			return false;
	}
}

bool
survey_tls(struct survey *survey, struct survey_way *way, int fd)
{
	uint64_t until_ms = clock_monotonic_ms() + survey->timeout_ms;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *tls = NULL;
	bool spoken = false;

	if (context == NULL)
		return false;
	/* Whoever it is, his certificate is to be seen. */
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_default_verify_paths(context);
	tls = SSL_new(context);
	if (tls == NULL)
		goto out;
	if (survey->is_numeric) {
		X509_VERIFY_PARAM_set1_ip_asc(
		    SSL_get0_param(tls), survey->host);
	} else {
		SSL_set_tlsext_host_name(tls, survey->host);
		SSL_set1_host(tls, survey->host);
	}
	SSL_set_fd(tls, fd);
	/* One who wants a certificate of ours has shown his own by then. */
	if (shake_hands(tls, fd, until_ms) ||
	    SSL_get0_peer_certificate(tls) != NULL) {
		way->fact = WAY_TLS;
		way->line[0] = '\0';
		judge(survey, way, tls);
		spoken = true;
	}
out:
	ERR_clear_error();
	SSL_free(tls);
	SSL_CTX_free(context);
	return spoken;
}
