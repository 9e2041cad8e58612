/** What is said of calls that got no answer, and of apps that do not load. */

import type { ReconcileCall } from "../../controller/index.js";
import { EventplaneError } from "../../kernel/index.js";

/** The pool was closed: nobody's fault. */
export function poolClosed(): EventplaneError {
  return new EventplaneError("aborted", "The controllers' threads were ended; the reconcile is made again later.");
}

/** `busy`: the controller has lately cost a thread for this tenant, and the others need those that are left. */
export function crowdedOut({ controller }: ReconcileCall): EventplaneError {
  return new EventplaneError(
    "busy",
    `Controller ${controller} has lately cost a thread for this tenant; it waits for one that others do not need.`,
    { details: { controller } },
  );
}

/** `config_invalid`. */
export function notLoaded(why: string): EventplaneError {
  return new EventplaneError("config_invalid", `The application cannot be loaded in the controllers' threads: ${why}.`);
}

/** `reconcile_timeout`, thrown where the controller was. @param stack as `Error.stack` without its first line; may be empty */
export function timedOut(
  { controller, resource }: ReconcileCall,
  { timeoutMs, stack }: { readonly timeoutMs: number; readonly stack: string },
): EventplaneError {
  const error = new EventplaneError(
    "reconcile_timeout",
    `Controller ${controller} did not return within ${timeoutMs} ms on ${resource.aggregateType}/${resource.aggregateId}; ` +
      "its thread was ended.",
    { details: { controller } },
  );
  error.stack = `${error.name}: ${error.message}\n${stack}`;
  return error;
}

/** `reconcile_failed`: the thread ended by itself. */
export function threadLost({ controller, resource }: ReconcileCall, how: string): EventplaneError {
  const error = new EventplaneError(
    "reconcile_failed",
    `Controller ${controller} ${how}, on ${resource.aggregateType}/${resource.aggregateId}.`,
    { details: { controller } },
  );
  error.stack = `${error.name}: ${error.message}`; // not where we noticed
  return error;
}
