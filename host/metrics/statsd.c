/* statsd.c - see statsd.h. A plain socket that does not block: a datagram needs no loop. */
#include "statsd.h"
#include "clock.h"
#include "errors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOKUP_EVERY_NS (60 * NS_PER_S)
#define MAX_PART_BYTES  100

struct statsd {
    struct metrics *metrics;
    struct statsd_address address;
    statsd_find *find;
    struct statsd_lookup *lookup; /* NULL: none under way */
    int64_t looked_up_ns;
    bool is_numeric, has_target;
    struct statsd_target target;
    int fd; /* -1: none yet */
    sa_family_t family;
    size_t packet_bytes;
    char packet[STATSD_MAX_PACKET_BYTES];
};

model_status statsd_create(struct metrics *metrics, const struct statsd_address *address,
                           statsd_find *find, struct statsd **ret, struct model_error *err)
{
    struct statsd *statsd = calloc(1, sizeof *statsd);
    if (statsd == NULL)
        return error_no_memory(err, "a StatsD client");
    metrics_retain(statsd->metrics = metrics);
    statsd->address = *address;
    statsd->find = find != NULL ? find : statsd_address_find;
    statsd->fd = -1;
    statsd->is_numeric = statsd->has_target = statsd->find(address, true, &statsd->target);
    *ret = statsd;
    return MODEL_OK;
}

void statsd_destroy(struct statsd *statsd)
{
    if (statsd == NULL)
        return;
    statsd_lookup_drop(statsd->lookup);
    if (statsd->fd >= 0)
        (void)close(statsd->fd);
    metrics_drop(statsd->metrics);
    free(statsd);
}

/* ---- where to */

static void keep_target(struct statsd *statsd, int64_t now_ns)
{
    bool has_found = false;
    if (statsd->is_numeric)
        return;
    if (statsd->lookup != NULL &&
        statsd_lookup_ended(statsd->lookup, &has_found, &statsd->target)) {
        statsd->has_target |= has_found; /* one that is not found any more stays where it was */
        statsd_lookup_drop(statsd->lookup);
        statsd->lookup = NULL;
        statsd->looked_up_ns = now_ns;
    }
    if (statsd->lookup == NULL &&
        (!statsd->has_target || now_ns - statsd->looked_up_ns >= LOOKUP_EVERY_NS))
        statsd->lookup = statsd_lookup_start(&statsd->address, statsd->find);
}

/* Behind the standard streams: what the process prints must not go to the server. */
static int open_socket(sa_family_t family)
{
    const int fd = socket(family, SOCK_DGRAM, 0);
    const int behind = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    if (behind >= 0)
        (void)fcntl(behind, F_SETFL, O_NONBLOCK);
    return behind;
}

/* A socket of the target's family; false: none to be had. */
static bool keep_socket(struct statsd *statsd)
{
    const sa_family_t family = statsd->target.address.ss_family;
    if (statsd->fd >= 0 && statsd->family == family)
        return true;
    if (statsd->fd >= 0)
        (void)close(statsd->fd);
    statsd->family = family;
    statsd->fd = open_socket(family);
    return statsd->fd >= 0;
}

/* ---- lines */

static void send_packet(struct statsd *statsd)
{
    if (statsd->packet_bytes > 0)
        (void)sendto(statsd->fd, statsd->packet, statsd->packet_bytes, MSG_DONTWAIT,
                     (const struct sockaddr *)&statsd->target.address, statsd->target.size_bytes);
    statsd->packet_bytes = 0;
}

static void add_line(struct statsd *statsd, const char *line, size_t size_bytes)
{
    const size_t newline = statsd->packet_bytes > 0 ? 1 : 0;
    if (statsd->packet_bytes + newline + size_bytes > sizeof statsd->packet)
        send_packet(statsd);
    else if (newline > 0)
        statsd->packet[statsd->packet_bytes++] = '\n';
    memcpy(statsd->packet + statsd->packet_bytes, line, size_bytes);
    statsd->packet_bytes += size_bytes;
}

struct line {
    char text[7 * MAX_PART_BYTES]; /* name, model, backend, two values, suffix, number */
    size_t size_bytes;
};

/* ".part", with what would mean something to a server or its files as '_'. */
static void add_part(struct line *line, const char *part)
{
    if (part == NULL)
        return;
    line->text[line->size_bytes++] = '.';
    for (size_t i = 0; part[i] != '\0' && i < MAX_PART_BYTES - 1; i++) {
        const char c = part[i];
        const bool is_safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '_' || c == '-';
        line->text[line->size_bytes++] = is_safe ? c : '_';
    }
}

/* The family's name as a part: without "modelhost_" and "_total", which the lines say otherwise. */
static void add_family(struct line *line, const char *name)
{
    static const char prefix[] = "modelhost", total[] = "_total";
    memcpy(line->text, prefix, sizeof prefix - 1);
    line->size_bytes = sizeof prefix - 1;
    add_part(line, name + sizeof prefix);
    const size_t cut = sizeof total - 1;
    if (line->size_bytes > cut && memcmp(line->text + line->size_bytes - cut, total, cut) == 0)
        line->size_bytes -= cut;
}

/* "modelhost.requests.bert.cpu.ok" + suffix + ":" + number + "|" + kind */
static void add_number(struct statsd *statsd, const struct metric_sample *sample,
                       const char *suffix, const char *number, const char *kind)
{
    struct line line;
    add_family(&line, sample->family->name);
    add_part(&line, sample->model);
    add_part(&line, sample->backend);
    add_part(&line, sample->value);
    add_part(&line, sample->second_value);
    add_part(&line, suffix);
    line.size_bytes +=
        (size_t)snprintf(line.text + line.size_bytes, MAX_PART_BYTES, ":%s|%s", number, kind);
    add_line(statsd, line.text, line.size_bytes);
}

static void add_integer(struct statsd *statsd, const struct metric_sample *sample,
                        const char *suffix, uint64_t number, const char *kind)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
    add_number(statsd, sample, suffix, digits, kind);
}

/* In millionths, so that no locale writes a comma. */
static void add_quantile(struct statsd *statsd, const struct metric_sample *sample,
                         const char *suffix, const uint64_t *buckets, double q)
{
    const struct histogram_bounds *bounds = sample->family->bounds;
    const double value = histogram_quantile(bounds, buckets, q) / (double)bounds->per_unit;
    const uint64_t millionths = (uint64_t)(value * 1e6 + 0.5);
    char digits[40];
    (void)snprintf(digits, sizeof digits, "%" PRIu64 ".%06" PRIu64, millionths / 1000000,
                   millionths % 1000000);
    add_number(statsd, sample, suffix, digits, "g");
}

static void push_histogram(struct statsd *statsd, const struct metric_sample *sample)
{
    const uint32_t n = sample->family->bounds->n_bounds + 1;
    uint64_t buckets[HISTOGRAM_MAX_BOUNDS + 1], count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += buckets[i] = sample->numbers[i] - sample->pushed[i];
        sample->pushed[i] = sample->numbers[i];
    }
    if (count == 0)
        return;
    add_integer(statsd, sample, "count", count, "c");
    add_quantile(statsd, sample, "p50", buckets, 0.5);
    add_quantile(statsd, sample, "p99", buckets, 0.99);
}

static model_status push_sample(void *context, const struct metric_sample *sample)
{
    struct statsd *statsd = context;
    if (sample->family->type == METRIC_HISTOGRAM) {
        push_histogram(statsd, sample);
    } else if (sample->family->type == METRIC_GAUGE) {
        add_integer(statsd, sample, NULL, sample->numbers[0], "g");
    } else if (sample->numbers[0] != *sample->pushed) {
        add_integer(statsd, sample, NULL, sample->numbers[0] - *sample->pushed, "c");
        *sample->pushed = sample->numbers[0];
    }
    return MODEL_OK;
}

void statsd_push(struct statsd *statsd, int64_t now_ns)
{
    keep_target(statsd, now_ns);
    if (!statsd->has_target || !keep_socket(statsd))
        return;
    if (metrics_visit(statsd->metrics, METRICS_TRY, push_sample, statsd) == MODEL_OK)
        send_packet(statsd);
}
