#include "survey_private.h"

#include "clock.h"
#include "ssh_says.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { STACK_BYTES = 512 * 1024, NAMELESS_MS = 2000 };

static const uint16_t default_ports[] = {22, 2222, 443, 8883, 1883, 80};

/* ---- before anything is sent ---- */

static void
add_port(struct survey *survey, uint16_t port)
{
	for (size_t i = 0; i < survey->port_count; i++)
		if (survey->ports[i] == port)
			return;
	survey->ports[survey->port_count++] = port;
}

static void
copy_option(
    ssh_session session, enum ssh_options_e option, char *text, size_t size)
{
	char *value = NULL;

	if (ssh_options_get(session, option, &value) == SSH_OK)
		snprintf(text, size, "%s", value);
	ssh_string_free_char(value);
}

/* What HOST stands for, as kaya tunnel would read it. */
static int
read_dest(struct survey *survey, struct err *err)
{
	struct link_options options = survey->link;
	char proxy[16] = "";
	unsigned port = 0;
	struct link *link;

	options.asking = LINK_NEVER_ASK;
	link = link_prepare(&options, err);
	if (link == NULL)
		return -1;
	copy_option(
	    link->session, SSH_OPTIONS_HOST, survey->host, sizeof survey->host);
	copy_option(
	    link->session, SSH_OPTIONS_USER, survey->user, sizeof survey->user);
	copy_option(
	    link->session, SSH_OPTIONS_PROXYCOMMAND, proxy, sizeof proxy);
	copy_option(link->session, SSH_OPTIONS_KNOWNHOSTS, survey->known_hosts,
	    sizeof survey->known_hosts);
	ssh_options_get_port(link->session, &port);
	survey->is_proxied = proxy[0] != '\0';
	survey->own_port = (uint16_t)port;
	snprintf(
	    survey->key_file, sizeof survey->key_file, "%s", link->key_file);
	link_free(link);
	return 0;
}

static void
list_ports(struct survey *survey)
{
	const struct survey_options *options = survey->options;

	if (options->port_count == 0 || options->link.port != 0)
		add_port(survey, survey->own_port);
	for (size_t i = 0; i < options->port_count; i++)
		add_port(survey, options->ports[i]);
	for (size_t i = 0; options->port_count == 0 &&
			   i < sizeof default_ports / sizeof default_ports[0];
	     i++)
		add_port(survey, default_ports[i]);
}

static bool
is_numeric(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 ||
	       inet_pton(AF_INET6, host, bytes) == 1;
}

/* ---- the proxy ---- */

static const char *
value_of_either(const char *small, const char *large)
{
	const char *value = getenv(small);

	return value != NULL ? value : getenv(large);
}

static void
find_proxy(struct survey *survey)
{
	const char *url = survey->options->proxy;

	survey->proxy_from = "--proxy";
	if (url == NULL) {
		survey->proxy_from = survey_proxy_variable(getenv);
		if (survey->proxy_from == NULL)
			return;
		url = getenv(survey->proxy_from);
	}
	survey->proxy_url = survey_proxy_parse(url, &survey->proxy);
}

static void
plan_proxy(struct survey *survey)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char service[8];
	size_t exempt = 0;

	find_proxy(survey);
	if (survey->proxy_from == NULL || survey->proxy_url != PROXY_URL_OK)
		return;
	snprintf(service, sizeof service, "%u", survey->proxy.port);
	survey->proxy_result =
	    getaddrinfo(survey->proxy.host, service, &hints, &found);
	if (survey->proxy_result != 0)
		return;
	for (size_t i = 0; i < survey->port_count; i++) {
		struct survey_way *way = &survey->ways[survey->way_count];

		if (survey->options->proxy == NULL &&
		    survey_proxy_is_exempt(
			value_of_either("no_proxy", "NO_PROXY"), survey->host,
			survey->ports[i])) {
			exempt++;
			continue;
		}
		way->port = survey->ports[i];
		way->proxy = &survey->proxy;
		memcpy(&way->name, found->ai_addr, found->ai_addrlen);
		way->name_len = found->ai_addrlen;
		snprintf(way->address, sizeof way->address, "%s",
		    survey->proxy.name);
		survey->way_count++;
	}
	survey->proxy_exempt = exempt == survey->port_count;
	freeaddrinfo(found);
}

/* ---- all of them at once ---- */

struct errand {
	struct survey *survey;
	struct survey_way *way;
	pthread_t thread;
	bool runs;
};

static void *
run_errand(void *arg)
{
	struct errand *errand = arg;

	survey_probe(errand->survey, errand->way);
	pthread_mutex_lock(&errand->survey->lock);
	errand->way->is_done = true;
	pthread_cond_signal(&errand->survey->changed);
	pthread_mutex_unlock(&errand->survey->lock);
	return NULL;
}

static bool
all_done(const struct survey *survey)
{
	for (size_t i = 0; i < survey->way_count; i++)
		if (!survey->ways[i].is_done)
			return false;
	return true;
}

static int
probe_all(struct survey *survey, struct survey_screen *screen, struct err *err)
{
	struct errand *errands = calloc(survey->way_count + 1, sizeof *errands);
	pthread_attr_t small;

	if (errands == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	for (size_t i = 0; i < survey->way_count; i++) {
		errands[i].survey = survey;
		errands[i].way = &survey->ways[i];
		errands[i].runs = pthread_create(&errands[i].thread, &small,
				      run_errand, &errands[i]) == 0;
		if (!errands[i].runs)
			run_errand(&errands[i]);
	}
	pthread_attr_destroy(&small);
	pthread_mutex_lock(&survey->lock);
	survey_draw(survey, screen);
	while (!all_done(survey)) {
		pthread_cond_wait(&survey->changed, &survey->lock);
		survey_draw(survey, screen);
	}
	pthread_mutex_unlock(&survey->lock);
	for (size_t i = 0; i < survey->way_count; i++)
		if (errands[i].runs)
			pthread_join(errands[i].thread, NULL);
	free(errands);
	return 0;
}

/* ---- a closer look at the best ---- */

/* Which of our interfaces has the address that leads to the way? */
static void
find_interface(struct survey *survey, const struct survey_way *way)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof own;
	struct ifaddrs *all = NULL;
	int fd = socket(way->name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(survey->interface, sizeof survey->interface, "INTERFACE");
	/* Connecting a datagram socket sends nothing. */
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&way->name, way->name_len) ==
		0 &&
	    getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
	    getifaddrs(&all) == 0)
		for (const struct ifaddrs *p = all; p != NULL; p = p->ifa_next)
			if (p->ifa_addr != NULL &&
			    survey_same_address(
				p->ifa_addr, (const struct sockaddr *)&own))
				snprintf(survey->interface,
				    sizeof survey->interface, "%s",
				    p->ifa_name);
	if (all != NULL)
		freeifaddrs(all);
	if (fd >= 0)
		close(fd);
}

static void
look_closer(struct survey *survey, struct survey_way *best)
{
	struct survey_way *way = best;

	for (size_t i = 0; way == NULL && i < survey->way_count; i++)
		if (survey->ways[i].fact == WAY_SSH_STALLS)
			way = &survey->ways[i];
	if (way != NULL &&
	    (way->mtu == MTU_STALLS || way->fact == WAY_SSH_STALLS)) {
		survey_path_mtu(survey, way);
		find_interface(survey, way);
	}
	if (survey->options->idle_ms == 0)
		return;
	survey->idle = best != NULL ? IDLE_TRIED : IDLE_NO_WAY;
	survey->own_keepalive_s = ssh_says_keepalive_s(&survey->link);
	if (best != NULL)
		survey_idle(survey, best);
}

static int
look(struct survey *survey, struct err *err)
{
	struct survey_screen screen = {0};
	struct dns_question *question = NULL;
	struct survey_way *best;

	survey->is_numeric = is_numeric(survey->host);
	list_ports(survey);
	if (!survey->is_numeric)
		question = survey_ask_wild(survey->host);
	survey_resolve(survey);
	plan_proxy(survey);
	if (probe_all(survey, &screen, err) != 0)
		return -1;
	survey->wild =
	    survey_wild(question, survey, clock_monotonic_ms() + NAMELESS_MS);
	best = survey_best(survey);
	look_closer(survey, best);
	survey_judge(survey, best);
	return survey_end(survey, best);
}

int
survey_run(const struct survey_options *options, struct err *err)
{
	struct survey *survey = calloc(1, sizeof *survey);
	int result;

	if (survey == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	signal(SIGPIPE, SIG_IGN);
	survey->options = options;
	survey->link = options->link;
	survey->timeout_ms =
	    options->timeout_ms > 0 ? options->timeout_ms : SURVEY_TIMEOUT_MS;
	pthread_mutex_init(&survey->lock, NULL);
	pthread_cond_init(&survey->changed, NULL);
	findings_init(&survey->findings, options->out,
	    options->form == SURVEY_AS_JSON ? FINDINGS_AS_JSON
					    : FINDINGS_AS_TEXT,
	    FINDINGS_EVERY_CAUSE);
	result = read_dest(survey, err);
	if (result == 0)
		result = look(survey, err);
	findings_fini(&survey->findings);
	pthread_cond_destroy(&survey->changed);
	pthread_mutex_destroy(&survey->lock);
	explicit_bzero(&survey->proxy, sizeof survey->proxy);
	free(survey);
	return result;
}
