/** The limits of an edge, and the allowances that it shares with the others. */
import type { ErrorCode } from "../../kernel/index.js";
import { Allowances, Holdings, quotaDefaults } from "../../quota/index.js";
import type { EdgeDependencies } from "../dependencies.js";
import { failureFields } from "../failure-fields.js";
import type { PlatformFold } from "../platform/fold.js";
import { EdgeLimits } from "./edge-limits.js";
import { StreamLimit } from "./stream-limit.js";

/** What is left of limits, shared with the other edges; nothing runs yet. */
export function openAllowances({ allowances: store, clock, logger, metrics }: EdgeDependencies): Allowances {
  return new Allowances({
    store,
    clock,
    onCall: (seconds, result) => metrics.limitsLeased(seconds, result),
    report: (failure) => {
      if (failure === undefined) logger.info({}, "What is left of limits can be looked up again.");
      else logger.warn(failureFields(failure), "What is left of limits cannot be looked up.");
    },
  });
}

/** The limits of tenants; nothing runs yet. */
export function openLimits(
  given: EdgeDependencies,
  { platform, allowances }: { readonly platform: PlatformFold; readonly allowances: Allowances },
): EdgeLimits {
  const { allowances: store, clock, ids, logger, metrics } = given;
  const { quotas } = platform.state;
  const defaults = { ...quotaDefaults, ...given.quotaDefaults };
  const onReached = (code: ErrorCode): void => metrics.limitReached(code);
  const connections = new Holdings({
    store,
    clock,
    holder: ids.uuid4(),
    name: "connections",
    report: (failure) => {
      if (failure === undefined) logger.info({}, "Open subscriptions are counted over all edges again.");
      else logger.warn(failureFields(failure), "Open subscriptions cannot be counted over all edges.");
    },
  });
  const streams = new StreamLimit({ clock, count: (tenantId, max) => given.resources.count(tenantId, max) });
  return new EdgeLimits({ allowances, streams, connections, quotas, defaults, clock, onReached });
}
