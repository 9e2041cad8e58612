/** The limits of an edge, over the allowances that it shares with the others. */
import type { ErrorCode } from "../../kernel/index.js";
import { Allowances, quotaDefaults } from "../../quota/index.js";
import type { EdgeDependencies } from "../dependencies.js";
import { failureFields } from "../failure-fields.js";
import type { PlatformFold } from "../platform/fold.js";
import { EdgeLimits } from "./edge-limits.js";

/** Makes them; nothing runs yet. */
export function openLimits(given: EdgeDependencies, { state: { quotas } }: PlatformFold): EdgeLimits {
  const { allowances: store, clock, logger, metrics } = given;
  const allowances = new Allowances({
    store,
    clock,
    onCall: (seconds, result) => metrics.limitsLeased(seconds, result),
    report: (failure) => {
      if (failure === undefined) logger.info({}, "What is left of limits can be looked up again.");
      else logger.warn(failureFields(failure), "What is left of limits cannot be looked up.");
    },
  });
  const defaults = { ...quotaDefaults, ...given.quotaDefaults };
  const onReached = (code: ErrorCode): void => metrics.limitReached(code);
  return new EdgeLimits({ allowances, quotas, defaults, clock, onReached });
}
