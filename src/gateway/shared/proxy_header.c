#include "proxy_header.h"

#include "wire.h"

#include <netinet/in.h>

enum {
	VERSION_2_PROXY = 0x21,
	FAMILY_NONE = 0x00,
	FAMILY_TCP4 = 0x11,
	FAMILY_TCP6 = 0x21,
	TYPE_SSL = 0x20,
	SUBTYPE_SSL_VERSION = 0x21,
	SUBTYPE_SSL_CN = 0x22,
	CLIENT_SSL = 0x01, /* what carries it is encrypted */
	CLIENT_CERT_CONN = 0x02, /* the client showed who it is on it */
	CLIENT_CERT_SESS = 0x04, /* and once at least in its session */
	VERIFIED = 0, /* what X509_V_OK is */
};

static const uint8_t signature[12] = {
    '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* An address as the header has it: 4 or 16 bytes, 0 for neither. */
struct endpoint {
	struct span address;
	uint16_t port;
};

static struct endpoint
endpoint_of(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->sa_family == AF_INET)
		return (struct endpoint){
		    span_of(&v4->sin_addr, 4), ntohs(v4->sin_port)};
	if (address->sa_family != AF_INET6)
		return (struct endpoint){.port = 0};
	/* IPv4 that came to a socket for both families. */
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return (struct endpoint){span_of(&v6->sin6_addr.s6_addr[12], 4),
		    ntohs(v6->sin6_port)};
	return (struct endpoint){
	    span_of(&v6->sin6_addr, 16), ntohs(v6->sin6_port)};
}

void
proxy_header_put(const struct proxy_header *header, struct buf *out)
{
	struct endpoint from = endpoint_of(header->from);
	struct endpoint to = endpoint_of(header->to);
	const struct span version = span_of_str("SSH-2.0");
	const struct span name = span_of_str(header->common_name);
	size_t addresses = 0, ssl = 1 + 4 + 3 + version.len + 3 + name.len;
	uint8_t family = FAMILY_NONE;

	if (from.address.len > 0 && from.address.len == to.address.len) {
		family = from.address.len == 4 ? FAMILY_TCP4 : FAMILY_TCP6;
		addresses = 2 * from.address.len + 2 * 2;
	}
	wire_put_bytes(out, span_of(signature, sizeof signature));
	wire_put_u8(out, VERSION_2_PROXY);
	wire_put_u8(out, family);
	wire_put_u16(out, (uint16_t)(addresses + 3 + ssl));
	if (addresses > 0) {
		wire_put_bytes(out, from.address);
		wire_put_bytes(out, to.address);
		wire_put_u16(out, from.port);
		wire_put_u16(out, to.port);
	}
	wire_put_u8(out, TYPE_SSL);
	wire_put_u16(out, (uint16_t)ssl);
	wire_put_u8(out, CLIENT_SSL | CLIENT_CERT_CONN | CLIENT_CERT_SESS);
	wire_put_u32(out, VERIFIED);
	wire_put_u8(out, SUBTYPE_SSL_VERSION);
	wire_put_string16(out, version);
	wire_put_u8(out, SUBTYPE_SSL_CN);
	wire_put_string16(out, name);
}
