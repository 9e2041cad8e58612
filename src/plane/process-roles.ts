/** What a process does: its roles, and what each of them may hold. */
import { EventplaneError } from "../kernel/errors.js";
import type { PlaneRole } from "./database.js";

/** The roles of a process, in the order in which they are named. */
export const processRoles = ["edge", "controllers", "workers", "projections"] as const;
/** One of them. */
export type ProcessRole = (typeof processRoles)[number];
/** Tiers whose signing key a process holds. */
export type HeldKey = "edge" | "runtime";

/** What a role holds: logins of the database and signing keys, nothing else. */
interface Holding {
  readonly logins: readonly PlaneRole[];
  readonly keys: readonly HeldKey[];
}

const holdings: Readonly<Record<ProcessRole, Holding>> = {
  edge: { logins: ["edge"], keys: ["edge"] },
  controllers: { logins: ["runtime"], keys: ["runtime"] },
  workers: { logins: ["runtime"], keys: ["runtime"] },
  projections: { logins: ["projector", "reader"], keys: [] },
};

/** What these roles hold together. */
export function holdingOf(roles: ReadonlySet<ProcessRole>): {
  readonly logins: ReadonlySet<PlaneRole>;
  readonly keys: ReadonlySet<HeldKey>;
} {
  const each = [...roles].map((role) => holdings[role]);
  return {
    logins: new Set(each.flatMap(({ logins }) => logins)),
    keys: new Set(each.flatMap(({ keys }) => keys)),
  };
}

/**
 * The roles that are named; all of them when none is.
 *
 * @throws EventplaneError `config_invalid` for a name that is no role
 */
export function parseProcessRoles(names: readonly string[]): ReadonlySet<ProcessRole> {
  const known: ReadonlySet<string> = new Set(processRoles);
  const wrong = names.find((name) => !known.has(name));
  if (wrong !== undefined) {
    const message = `"${wrong}" is no role of a process. They are: ${processRoles.join(", ")}.`;
    throw new EventplaneError("config_invalid", message, { details: { name: "process.roles" } });
  }
  return new Set(names.length === 0 ? processRoles : (names as ProcessRole[])); // each is one of them
}
