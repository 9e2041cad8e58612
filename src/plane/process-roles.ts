/** What a process does: its roles, and what each of them may hold. */
import { EventplaneError } from "../kernel/errors.js";
import type { PlaneRole } from "./database.js";

/** The roles of a process, in the order in which they are named. */
export const processRoles = ["edge", "controllers", "workers", "projections", "relay"] as const;
/** One of them. */
export type ProcessRole = (typeof processRoles)[number];
/** Tiers whose signing key a process holds. */
export type HeldKey = "edge" | "runtime";
/** Keys that are no tier's: the one that secrets of webhooks are made from. */
export type HeldSecret = "webhooks";

/** What a role holds: logins of the database and keys, nothing else. */
interface Holding {
  readonly logins: readonly PlaneRole[];
  readonly keys: readonly HeldKey[];
  /** Keys that sign nothing of the log. */
  readonly secrets: readonly HeldSecret[];
  /** The key-encryption keys of personal data. */
  readonly personal: boolean;
}

const holdings: Readonly<Record<ProcessRole, Holding>> = {
  edge: { logins: ["edge"], keys: ["edge"], secrets: ["webhooks"], personal: true },
  controllers: { logins: ["runtime"], keys: ["runtime"], secrets: [], personal: false },
  workers: { logins: ["runtime"], keys: ["runtime"], secrets: [], personal: true },
  projections: { logins: ["projector", "reader"], keys: [], secrets: [], personal: false },
  relay: { logins: ["relay"], keys: [], secrets: [], personal: false },
};

/** What these roles hold together. */
export function holdingOf(roles: ReadonlySet<ProcessRole>): {
  readonly logins: ReadonlySet<PlaneRole>;
  readonly keys: ReadonlySet<HeldKey>;
  readonly secrets: ReadonlySet<HeldSecret>;
  readonly personal: boolean;
} {
  const each = [...roles].map((role) => holdings[role]);
  return {
    logins: new Set(each.flatMap(({ logins }) => logins)),
    keys: new Set(each.flatMap(({ keys }) => keys)),
    secrets: new Set(each.flatMap(({ secrets }) => secrets)),
    personal: each.some(({ personal }) => personal),
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
