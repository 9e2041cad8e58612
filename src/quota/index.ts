export { Allowance, type AllowanceRule, type Taken } from "./allowance.js";
export { Allowances, type AllowancesDependencies } from "./allowances.js";
export {
  type QuotaMember,
  type QuotaSpec,
  quotaAggregate,
  quotaDefinition,
  quotaMemberNames,
  quotaSetType,
} from "./definition.js";
export { Holdings, type HoldingsDependencies } from "./holdings.js";
export { type QuotaDefaults, quotaDefaults, type Rate, type TenantLimits, tenantLimits } from "./limits.js";
export { MemoryAllowances } from "./memory/index.js";
export type { AllowanceClaim, AllowanceGrant, AllowanceStore, Holding } from "./port.js";
export { PostgresAllowances } from "./postgres/index.js";
