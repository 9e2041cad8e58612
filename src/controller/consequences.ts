/** What would follow from events that are not appended yet. Nothing is done about it. */
import { type AppendItem, effectRoleOf, foldEvent, type Resource } from "../event/index.js";
import { type DecideOptions, decide } from "./decide.js";
import { expectedRows, isOwn } from "./own-rows.js";

/** Rounds in which every controller of the resource decides on what the others added. */
const roundsMax = 4;

/**
 * Whether these events lead outside: they ask for a call or for something of another resource, or a controller of the
 * resource does so once it sees them. Controllers that do not come to rest count as if they did.
 *
 * @throws whatever a controller throws: nobody knows then what it wants
 */
export async function leadsOutside(
  items: readonly AppendItem[],
  basis: Resource,
  options: DecideOptions,
): Promise<boolean> {
  const controllers = [...options.app.controllers.values()].filter(({ watches }) => watches === basis.aggregateType);
  if (items.some((item) => isOutside(item, basis))) return true;
  let after = folded(items, basis, options);
  for (let round = 0; round < roundsMax; round++) {
    const before = after.version;
    for (const { name } of controllers) {
      const decision = await decide({ ...after, component: name }, after, options);
      if (decision.items.some((item) => isOutside(item, basis))) return true;
      after = folded(decision.items, after, options);
    }
    if (after.version === before) return false;
  }
  return true;
}

function isOutside(item: AppendItem, basis: Resource): boolean {
  const { decision } = item.event;
  return !isOwn(item, basis) || (decision !== null && effectRoleOf(decision.component) === "ask");
}

function folded(items: readonly AppendItem[], basis: Resource, { app, clock }: DecideOptions): Resource {
  const aggregate = app.aggregates.get(basis.aggregateType);
  return expectedRows(items, basis, clock.nowUs()).reduce<Resource>(
    (fold, row) => foldEvent(fold, row, aggregate),
    basis,
  );
}
