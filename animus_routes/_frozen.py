"""What is imported by a name made at run time, written out for tools that freeze programs.

Such a tool follows the imports that it can read. This module is one of those, and is never run:
a plugin loads its own role and wire types, not everybody's. The pydantic family is left out,
because a program that needs it imports it itself.
"""

# ruff: noqa: F401 - each is here to be read
# pyright: reportUnusedImport=false

import animus_routes.app
import animus_routes.cli.call
import animus_routes.cli.manifest
import animus_routes.cli.routes
import animus_routes.cli.run
import animus_routes.errors
import animus_routes.fences
import animus_routes.handlers.context
import animus_routes.handlers.depends
import animus_routes.roles.channel_backend
import animus_routes.roles.config_source
import animus_routes.roles.conversation_store
import animus_routes.roles.custom
import animus_routes.roles.durable_store
import animus_routes.roles.environment
import animus_routes.roles.log_storage_backend
import animus_routes.roles.memory_store
import animus_routes.roles.notifier
import animus_routes.roles.provider
import animus_routes.roles.queue
import animus_routes.roles.subject_backend
import animus_routes.roles.transport_backend
import animus_routes.roles.trigger_backend
import animus_routes.roles.web_ui
import animus_routes.roles.workflow_journal
import animus_routes.roles.workflow_runner
import animus_routes.routing.router
import animus_routes.rules
import animus_routes.structs.actor
import animus_routes.structs.application
import animus_routes.structs.channel
import animus_routes.structs.config
import animus_routes.structs.dispatch
import animus_routes.structs.durable_store
import animus_routes.structs.environment
import animus_routes.structs.environment_nodes
import animus_routes.structs.execution
import animus_routes.structs.log_storage
import animus_routes.structs.memory_store
import animus_routes.structs.notifier
import animus_routes.structs.plugin
import animus_routes.structs.plugin_operations
import animus_routes.structs.provider
import animus_routes.structs.queue
import animus_routes.structs.queue_v2
import animus_routes.structs.subject
import animus_routes.structs.subject_v2
import animus_routes.structs.transport
import animus_routes.structs.trigger
import animus_routes.structs.workflow_journal
import animus_routes.structs.workflow_runner
