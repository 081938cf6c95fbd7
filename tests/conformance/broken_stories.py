"""Plugins that break one story each: correct ones, with something in between that changes a frame."""

from typing import Final, NamedTuple


class Tampered(NamedTuple):
    """An example, and what is changed of what goes by.

    Attributes:
        example: Its name.
        check: The one story that has to fail.
        reason: Part of what it says.
        code: What `plugins/tampered.py` runs.
    """

    example: str
    check: str
    reason: str
    code: str


def answered(method: str, change: str) -> str:
    """Change the result of a method; `result`, `params` and `kept` are at hand."""
    lines = "".join(f"        {line}\n" for line in change.splitlines())
    return (
        "def answered(method, params, frame):\n"
        f"    if method.endswith({method!r}) and 'result' in frame:\n"
        f"        result = frame['result']\n{lines}"
    )


TAMPERED: Final = (
    Tampered(
        "tasks_sqlite", "story.subject-owners", "gives a subject of another user",
        answered("v2/create", "kept.setdefault('made', []).append(result)")
        + "    if method.endswith('v2/list') and 'result' in frame:\n"
        "        frame['result']['subjects'] = kept.get('made', [])\n",
    ),
    Tampered(
        "queue_sql", "story.queued", "after queue/hold, the entry is pending",
        answered("queue/list", "for one in result['entries']:\n    one['status'] = 'pending'"),
    ),
    Tampered(
        "queue_sql", "story.lease", "an entry is leased twice",
        answered("queue/lease", "if params['max'] == 2 and len(result['leased']) < 2:\n    frame['result'] = kept.setdefault('first', result)"),
    ),
    Tampered(
        "queue_sql", "story.lease-race", "two processes lease the same entry",
        "def asked(method, params):\n"
        "    pass\n"
        + answered("queue/lease", "if len(result['leased']) == 2:\n    result['leased'] = [result['leased'][0]] * 2"),
    ),
    Tampered(
        "queue_sql", "story.fences", "queue/v2/completion says applied, and not stale_fence",
        answered("v2/completion", "result['outcome'] = result['outcome'].replace('stale_fence', 'applied')"),
    ),
    Tampered(
        "queue_sql", "story.expired", "queue/v2/lease/renew says applied, and not stale_fence",
        answered("lease/renew", "result['outcome'] = 'applied'"),
    ),
    Tampered(
        "queue_sql", "story.put-back", "gets another workflow id",
        answered("v2/lease", "for one in result['leased']:\n    one['execution']['workflow_id'] = one['entry']['workflow_id'] = params['workflow_ids'][0]"),
    ),
    Tampered(
        "memory_sqlite", "story.memory", "after memory/delete_scope, memory/get still finds it",
        answered("memory/get", "frame['result'] = kept.setdefault('first', result)"),
    ),
    Tampered(
        "journal_sqlite", "story.journal", "does not replace the first",
        answered("journal/load", "frame['result'] = kept.setdefault('first', result)"),
    ),
    Tampered(
        "durable_sql", "story.durable", "already_committed, with the output None",
        answered("durable/begin_step", "result.pop('prior_output', None)"),
    ),
    Tampered(
        "logs_sqlite", "story.logs", "2 are info or above: log_storage/query gives 3",
        "def asked(method, params):\n"
        "    if method == 'log_storage/query':\n"
        "        params.pop('min_level', None)\n",
    ),
    Tampered(
        "logs_sqlite", "story.tail", "log_storage/event has the id",
        "def told(frame):\n    frame['params']['id'] = 'another'\n",
    ),
    Tampered(
        "config_yaml", "story.config", "another cache token although nothing has changed",
        answered("config/load", "kept['n'] = kept.get('n', 0) + 1\nresult['cache_token']['version'] = str(kept['n'])"),
    ),
    Tampered(
        "config_yaml", "story.config-written", "is another one afterwards",
        answered("config/write", "kept['written'] = True")
        + "    if method == 'config/load' and kept.get('written'):\n"
        "        frame['result']['config']['config'] = {'phases': []}\n",
    ),
    Tampered(
        "notifier_apprise", "story.notified", "gives no lifecycle_events",
        answered("notifier/flush", "result.pop('lifecycle_events')"),
    ),
    Tampered(
        "conversations_sql", "story.conversation", "come back as",
        answered("load_messages", "result['messages'].reverse()"),
    ),
    Tampered(
        "conversations_sql", "story.keyed-message", "says in_progress, and not conflict",
        answered("operation_begin", "result['outcome'] = result['outcome'].replace('conflict', 'in_progress')"),
    ),
    Tampered(
        "channel_webhook", "story.received", "is no duplicate",
        answered("channel/receive", "result['duplicate'] = False"),
    ),
    Tampered(
        "channel_webhook", "story.sent", "one delivery with two texts is taken",
        "def answered(method, params, frame):\n"
        "    if method == 'channel/send':\n"
        "        frame.setdefault('result', kept.get('first')) if frame.pop('error', None) else kept.setdefault('first', frame['result'])\n",
    ),
    Tampered(
        "provider_openai", "story.run", "what a run streams is not in its output",
        answered("agent/run", "result['output'] = ''"),
    ),
    Tampered(
        "provider_openai", "story.run-cancelled", "without agent/error {recoverable: false}",
        "def told(frame):\n    return frame['method'] != 'agent/error'\n",
    ),
    Tampered(
        "provider_openai", "story.run-resumed", "names no session_id to resume",
        answered("agent/run", "result.pop('session_id', None)"),
    ),
    Tampered(
        "environment_local", "story.commands", "exit 7 gives the exit code 0",
        answered("environment/exec", "result['exit_code'] = 0"),
    ),
    Tampered(
        "environment_local", "story.exec-stream", "stdout streams",
        answered("exec_stream", "result['stdout'] = ''"),
    ),
    Tampered(
        "runner_local", "story.workflow", "does not hand back the fence",
        "def asked(method, params):\n"
        "    params.get('execution_fence', {}).pop('repository', None)\n"
        + answered("workflow/execute", "result.pop('execution_fence', None)"),
    ),
    Tampered(
        "runner_local", "story.workflow", "a publication_receipt does not hold: workflow_id",
        answered("workflow/execute", "result['publication_receipt']['workflow_id'] = 'another'"),
    ),
    Tampered(
        "transport_http", "story.transport", "nobody listens there",
        answered("transport/start", "result['bound_addr'] = '127.0.0.1:1'"),
    ),
    Tampered(
        "trigger_cron", "story.trigger", "has no event_id",
        "def told(frame):\n    frame['params']['event_id'] = ''\n",
    ),
)  # fmt: skip
