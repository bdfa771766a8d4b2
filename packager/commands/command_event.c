/* command_event.c - with --json, what happens meanwhile: one JSON object a line on standard error, so that standard
 * output holds nothing but the result. Main thread only. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>

json_node *command_event(const char *event)
{
    json_node *root = json_new_object();
    (void)json_add_string(root, "event", event);
    return root;
}

void command_event_send(json_node *event)
{
    char *text = event != NULL ? json_print(event, false) : NULL;
    if (text != NULL)
        fprintf(stderr, "%s\n", text);
    free(text);
    json_free(event);
}

void command_event_file(const char *path, uint64_t size_bytes)
{
    json_node *event = command_event("file");
    (void)json_add_string(event, "path", path);
    (void)json_add_number(event, "size", (double)size_bytes);
    command_event_send(event);
}
