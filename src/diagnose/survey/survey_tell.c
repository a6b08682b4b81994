#include "survey_tell.h"

#include "check.h"

#include <netdb.h>
#include <string.h>

#define COMPARE                                                                \
	"compare it with the server's own (there: ssh-keygen -lf "             \
	"/etc/ssh/ssh_host_ed25519_key.pub; kayad prints it at its start)"

static const struct check_row rows[] = {
    {DNS_FOUND, FINDING_OK, ERR_NONE, NULL, "{host} is {addresses}", NULL,
	NULL},
    {DNS_NO_SUCH_NAME, FINDING_FAULT, ERR_UNREACHABLE, "no-such-name",
	"{host}: {why}",
	"the DNS of this network knows no {host}: it is misspelt, or this "
	"network does not tell of it",
	"check how it is written; if it is right, name the address: {survey} "
	"ADDRESS"},
    {DNS_NO_ANSWER, FINDING_FAULT, ERR_UNREACHABLE, "dns-silent",
	"{host}: {why}",
	"the DNS of this network does not answer, or answers that it cannot "
	"find out",
	"ask another server: " CHECK_OTHER_RESOLVER "; until one answers, name "
	"the address: {survey} ADDRESS"},
    {DNS_LIES, FINDING_FAULT, ERR_UNREACHABLE, "dns-lies",
	"{host} is {addresses}, says the DNS of this network, and so is a name "
	"that does not exist",
	"the DNS of this network lies: it leads {host}, as every other name, "
	"to {addresses}, where another server answers",
	"ask another server: " CHECK_OTHER_RESOLVER "; or name the address "
	"that you know: {survey} ADDRESS"},
    {DNS_ANSWERS_ALL, FINDING_WARNING, ERR_NONE, "dns-answers-all",
	"a name below {host} that does not exist has an address, too",
	"either *.{host} is meant to have one, or the DNS of this network "
	"makes answers up",
	"if it is not meant, ask another server: " CHECK_OTHER_RESOLVER
	"; then "
	"again: {survey} {dest}"},
    {DNS_BOGUS, FINDING_WARNING, ERR_NONE, "dns-bogus",
	"{host} is {addresses}: no address that a server in the internet has",
	"the DNS of this network leads {host} to an address that stands for "
	"nothing out there",
	"ask another server: " CHECK_OTHER_RESOLVER "; or name the address "
	"that you know: {survey} ADDRESS"},
    /* In a container that file can be written to, and not be replaced. */
    {DNS_BOGUS_HERE, FINDING_WARNING, ERR_NONE, "dns-bogus",
	"{host} is {addresses}: no address that a server in the internet has",
	"line {hosts_line} of this machine's /etc/hosts leads {host} to an "
	"address that stands for nothing out there",
	"strike that line: rest=$(sed {hosts_line}d /etc/hosts) && echo "
	"\"$rest\" > /etc/hosts"},
    {DNS_PRIVATE, FINDING_WARNING, ERR_NONE, "dns-private",
	"{host} is {addresses}: a private network's",
	"the address is of a private network: right if the server is in this "
	"one, a lie of its DNS if not",
	"if the server is elsewhere, name its address: {survey} ADDRESS"},
    {PORTAL_SURE, FINDING_FAULT, ERR_UNREACHABLE, "captive-portal",
	"port {port} ({address}): {seen}",
	"this network wants somebody to sign in first: a captive portal "
	"answers in the name of {host}",
	"sign in with a browser, at http://{host}/{location}, then: {survey} "
	"{dest}"},
    {PORTAL_LIKELY, FINDING_FAULT, ERR_UNREACHABLE, "captive-portal",
	"port {port} ({address}): {seen}",
	"a web page answers in the name of {host} where SSH should: a captive "
	"portal, most likely, or a firewall's page",
	"sign in with a browser, at http://{host}/{location}, then: {survey} "
	"{dest}"},
    {PORTAL_PERHAPS, FINDING_WARNING, ERR_NONE, "redirect",
	"port {port} ({address}): {seen}",
	"the web server of {host} leads to another host: its own doing, or a "
	"captive portal's that lets SSH pass",
	"nothing, as long as the way below works"},
    {KEY_INTERCEPTED, FINDING_FAULT, ERR_HOST_KEY, "ssh-intercepted",
	"port {port} ({address}) shows {fingerprint}",
	"somebody on the way to {address} port {port} stands between: another "
	"way shows the right host key, this one {fingerprint}",
	"do not use this way; take the one below"},
    {KEY_CHANGED, FINDING_FAULT, ERR_HOST_KEY, "host-key-changed",
	"port {port} ({address}) shows {fingerprint}",
	"the host key on port {port} is {fingerprint}, which is not the one "
	"that is known for {host}: somebody stands between, or the server was "
	"set up anew",
	COMPARE
	"; if it is another, do not log in from this network; only if "
	"it is the same: ssh-keygen -f {typed_hosts} -R '{entry}' && {survey} "
	"--host-key {fingerprint} {dest}"},
    {KEY_DIFFERS, FINDING_FAULT, ERR_HOST_KEY, "host-key-differs",
	"port {port} ({address}) shows {fingerprint}, port {port} ({other}) "
	"shows {other_fingerprint}",
	"two ways to port {port} of {host} end at two servers: somebody stands "
	"between on one of them, or the name stands for several machines",
	COMPARE ", and name that: {survey} --host-key SHA256:... {dest}"},
    {KEY_UNKNOWN, FINDING_WARNING, ERR_NONE, "host-key-unknown",
	"port {port} ({address}) shows {fingerprint}",
	"no host key of {host} is known on this machine yet, so nothing tells "
	"whether somebody stands between",
	COMPARE " before the first login"},
    {KEY_NOT_KNOWABLE, FINDING_FAULT, ERR_HOST_KEY, "known-hosts",
	"{known_hosts} is of no use for port {port} ({address})", "{known_why}",
	"{known_mend}; then again: {survey} {dest}"},
    {TLS_INTERCEPTED, FINDING_FAULT, ERR_HOST_KEY, "tls-intercepted",
	"port {port} ({address}): {certificate}, {pin}",
	"TLS on port {port} shows another certificate than the one pinned: "
	"somebody stands between, or it was renewed with a new key",
	"do not use TLS from this network until it is known which; if it was "
	"renewed: {survey} --tls-pin {pin} {dest}"},
    {TLS_DOUBTFUL, FINDING_WARNING, ERR_NONE, "tls-not-valid",
	"port {port} ({address}): {certificate}: {tls_why}",
	"the certificate on port {port} is not one that this machine can check "
	"for {host}: the server's own, or somebody's who stands between",
	"if the server's is known, compare: {survey} --tls-pin {pin} "
	"{dest}"},
    {PROXY_WRONG, FINDING_WARNING, ERR_NONE, "proxy-url",
	"{from} has no URL of a proxy",
	"{from} is set to something that is no URL of a proxy",
	"write it so: export https_proxy=http://HOST:PORT"},
    {PROXY_OTHER_KIND, FINDING_WARNING, ERR_NONE, "proxy-kind",
	"{from} names a proxy that is not spoken to by plain HTTP",
	"{from} names a SOCKS or HTTPS proxy, which a survey does not ask",
	"if it is an HTTP proxy, too: {survey} --proxy http://HOST:PORT "
	"{dest}"},
    {PROXY_EXEMPT, FINDING_OK, ERR_NONE, NULL,
	"{proxy} ({from}) is not asked: no_proxy exempts {host}", NULL, NULL},
    {PROXY_NOT_FOUND, FINDING_WARNING, ERR_NONE, "proxy-name",
	"{proxy} ({from}): {proxy_why}",
	"the name of the proxy that {from} names has no address",
	"mend {from}, or unset it"},
    {PROXY_SILENT, FINDING_WARNING, ERR_NONE, "proxy-gone",
	"{proxy} ({from}): {seen}",
	"the proxy that {from} names does not answer",
	"mend {from}, or unset "
	"it"},
    {PROXY_LOGIN, FINDING_FAULT, ERR_REFUSED, "proxy-login",
	"{proxy} ({from}): {seen}",
	"the proxy lets nobody through whom it does not know",
	"put user and password into {from}: http://USER:PASSWORD@{proxy}"},
    {PROXY_FORBIDS_ALL, FINDING_FAULT, ERR_REFUSED, "proxy-forbids",
	"{proxy} ({from}): {seen}",
	"the proxy forbids connections to {host} on each of these ports",
	"have the proxy's owner allow CONNECT to {host}:443, and let the "
	"gateway listen there: kayad --listen 0.0.0.0:443 --listen '[::]:443'"},
    {PATH_MTU, FINDING_FAULT, ERR_UNREACHABLE, "path-mtu",
	"port {port} ({address}): packets over {mtu} bytes vanish",
	"the way to {address} takes packets of {mtu} bytes at most, and nobody "
	"on it says so: small messages pass, large ones stall",
	"here: ip link set dev {interface} mtu {mtu}; or at the router: nft "
	"insert rule inet filter forward tcp flags syn tcp option maxseg size "
	"set {segment}"},
    {PATH_MTU_UNKNOWN, FINDING_FAULT, ERR_UNREACHABLE, "large-packets",
	"port {port} ({address}): a packet of 4,000 bytes does not get there",
	"packets to {address} stall that carry more than a few words, "
	"whatever their size: a firewall on the way looks into SSH, or the "
	"link loses much",
	"see how far they come: tracepath -n {address}; at the firewall there "
	"let SSH through as it is: for end in dport sport; do nft insert rule "
	"inet filter forward tcp $end {port} accept; done"},
    {IDLE_LIVES, FINDING_OK, ERR_NONE, NULL,
	"a connection that idles for {lived} s lives", NULL, NULL},
    {IDLE_FORGOTTEN, FINDING_WARNING, ERR_NONE, "idle-forgotten",
	"a connection that idles for {died} s is dead; one of {lived} s lives",
	"a NAT or firewall on the way forgets a connection that idles for "
	"{died} s",
	"take the way below: kaya tunnel asks each {own} s by itself; for ssh: "
	"{ssh}"},
    {IDLE_FORGOTTEN_EARLY, FINDING_WARNING, ERR_NONE, "idle-forgotten-early",
	"a connection that idles for {died} s is dead; one of {lived} s lives",
	"a NAT or firewall on the way forgets a connection that idles for "
	"{died} s, sooner than kaya tunnel asks by itself ({own} s)",
	"have it ask sooner: {tunnel}; for ssh: {ssh}"},
    {IDLE_GRACE, FINDING_NOT_KNOWN, ERR_NONE, "login-grace",
	"one of {lived} s lives; after {grace} s the server hangs up on "
	"whoever has not logged in",
	NULL, NULL},
    {IDLE_NOWHERE, FINDING_NOT_KNOWN, ERR_NONE, "no-way",
	"no way on which a connection could idle", NULL, NULL},
    {REACH_LOCKED_OUT, FINDING_FAULT, ERR_REFUSED, "locked-out",
	"port {port} ({address}): {seen}",
	"the server takes no connection from this address now: more at once "
	"wait to log in than its MaxStartups allows, or it has shut the "
	"address out for a while, for failed logins of any device behind it "
	"(PerSourcePenalties); it says the same of both",
	"wait, and try again: {survey} {dest}; its log tells which, at the "
	"server: journalctl -u ssh | grep 'drop connection' | tail -n 3; then "
	"stop the device that fails, or set a higher MaxStartups"},
    {REACH_TOO_MANY, FINDING_FAULT, ERR_UNREACHABLE, "max-startups",
	"port {port} ({address}): {seen}",
	"more connections at once wait to log in than the server's "
	"MaxStartups allows",
	"try again: {survey} {dest}; at the server: a higher MaxStartups, "
	"or kayad, which needs none"},
    {REACH_NO_SSH, FINDING_FAULT, ERR_UNREACHABLE, "no-ssh",
	"no SSH server answers; {passing} would pass",
	"this network lets {passing} through to {host}, and no SSH server "
	"listens there",
	"let the gateway listen there, too: kayad --listen 0.0.0.0:{port} "
	"--listen '[::]:{port}'; a stock sshd: Port {port}"},
    {REACH_FORBIDDEN, FINDING_FAULT, ERR_UNREACHABLE, "own-firewall",
	"this machine forbids it: {seen}",
	"this machine's own firewall forbids connections to {host}",
	"let it out: nft insert rule inet filter output tcp dport {port} "
	"accept"},
    {REACH_DROPPED, FINDING_FAULT, ERR_UNREACHABLE, "own-firewall",
	"this machine forbids it: {seen}",
	"this machine's own firewall forbids connections to {host}: {rule}",
	"let it out: {mend}"},
    {REACH_NO_ROUTE, FINDING_FAULT, ERR_UNREACHABLE, "no-route",
	"this machine has no route to {addresses}",
	"this machine has no route to any address of {host}",
	"see what is there: ip route get {address}"},
    {REACH_NOTHING, FINDING_FAULT, ERR_UNREACHABLE, "nothing-passes",
	"no port of {host} answers: {seen}",
	"this network lets none of these ports out, or {host} is not there",
	"from a network that is known to work: {survey} {dest}; if it "
	"answers there, have this network's owner open TCP port {port} to it"},
};

/* ---- telling ---- */

static void
put_ms(char text[24], uint64_t ms)
{
	snprintf(text, 24, "%.3g", (double)ms / 1000);
}

typedef void command_fn(const struct survey *survey,
    const struct survey_way *best, struct buf *command);

static void
put_command(
    char text[FINDING_TEXT], command_fn *write, const struct survey_tale *tale)
{
	struct buf command;

	buf_init(&command, FINDING_TEXT - 1);
	write(tale->survey, tale->way, &command);
	if (command.failed ||
	    !span_to_str(buf_span(&command), text, FINDING_TEXT))
		text[0] = '\0';
	buf_fini(&command);
}

void
survey_tell(const struct survey_tale *tale, const char *layer,
    enum survey_fact fact, enum finding_state at_most)
{
	struct survey *survey = tale->survey;
	const struct survey_way none = {.port = survey->own_port};
	const struct survey_way *way = tale->way != NULL ? tale->way : &none;
	struct finding finding = {.layer = layer};
	char leads[SURVEY_LINE + 32] = "";
	char port[8], seen[512], entry[300], mtu[8], segment[8];
	char lived[24], died[24], grace[24], own[24], hosts_line[24];
	char typed[CHECK_TYPED_SIZE];
	char known_why[FINDING_TEXT] = "", known_mend[FINDING_TEXT] = "";
	char tunnel[FINDING_TEXT] = "", ssh[FINDING_TEXT] = "";
	const struct check_word words[] = {
	    {"host", survey->host},
	    {"dest", survey->options->link.dest},
	    {"survey", survey->options->link.typed[0] != '\0'
			   ? survey->options->link.typed
			   : "kaya survey"},
	    {"addresses", survey->addresses},
	    {"hosts_line", hosts_line},
	    {"why", gai_strerror(survey->dns_result)},
	    {"proxy_why", gai_strerror(survey->proxy_result)},
	    {"proxy", survey->proxy.name},
	    {"from", survey->proxy_from},
	    {"passing", tale->passing},
	    {"rule", tale->own != NULL ? tale->own->rule : ""},
	    {"mend", tale->own != NULL ? tale->own->mend : ""},
	    {"port", port},
	    {"address", way->address},
	    {"seen", seen},
	    {"location", leads},
	    {"fingerprint", way->fingerprint},
	    {"other", tale->other != NULL ? tale->other->address : ""},
	    {"other_fingerprint",
		tale->other != NULL ? tale->other->fingerprint : ""},
	    {"entry", entry},
	    {"certificate", way->certificate},
	    {"tls_why", way->tls_why},
	    {"pin", way->tls_pin},
	    {"mtu", mtu},
	    {"segment", segment},
	    {"interface", survey->interface},
	    {"lived", lived},
	    {"died", died},
	    {"grace", grace},
	    {"own", own},
	    {"tunnel", tunnel},
	    {"ssh", ssh},
	    {"known_hosts", survey->known_hosts},
	    {"typed_hosts",
		check_typed(survey->known_hosts, typed, sizeof typed)},
	    {"known_why", known_why},
	    {"known_mend", known_mend},
	    {0},
	};

	snprintf(port, sizeof port, "%u", way->port);
	if (way->location[0] != '\0')
		snprintf(
		    leads, sizeof leads, " (it leads to %s)", way->location);
	way_tell(way, seen, sizeof seen);
	snprintf(entry, sizeof entry, way->port == 22 ? "%s" : "[%s]:%u",
	    survey->host, way->port);
	snprintf(hosts_line, sizeof hosts_line, "%zu", survey->hosts_line);
	snprintf(mtu, sizeof mtu, "%u", survey->path_mtu);
	snprintf(segment, sizeof segment, "%u",
	    survey->path_mtu - (way->name.ss_family == AF_INET6 ? 60u : 40u));
	put_ms(lived, survey->idle_lived_ms);
	put_ms(died, survey->idle_died_ms);
	put_ms(grace, survey->idle_grace_ms);
	snprintf(own, sizeof own, "%u", survey->own_keepalive_s);
	if (survey->idle_died_ms > 0 && tale->way != NULL) {
		put_command(tunnel, survey_command, tale);
		put_command(ssh, survey_ssh_command, tale);
	}
	if (way->known_hosts.state != KNOWN_HOSTS_GOOD)
		known_hosts_tell(&way->known_hosts, survey->known_hosts,
		    survey->host, known_why, sizeof known_why, known_mend,
		    sizeof known_mend);
	if (!check_judge(
		rows, sizeof rows / sizeof rows[0], (int)fact, words, &finding))
		return;
	/* Where there is a way, what is wrong elsewhere is no fault. */
	if (finding.state == FINDING_FAULT && at_most == FINDING_WARNING)
		finding.state = FINDING_WARNING;
	findings_add(&survey->findings, &finding);
}
