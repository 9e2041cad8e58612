/** What a principal may touch by an action. */
import type { Action } from "./authz/ruling.js";
import type { Grant, Principal } from "./principal.js";
import type { Scope } from "./scope.js";

const grantOfAction: Readonly<Record<Action, Grant>> = {
  PublishIntent: "publisher",
  PublishFact: "publisher",
  Read: "reader",
  Subscribe: "subscriber",
  Administer: "admin",
};

/** What the principal may touch by an action; undefined: everything that the rules allow. */
export function scopeOf(principal: Principal, action: Action): Scope | undefined {
  return principal.scopes?.of(grantOfAction[action]);
}
