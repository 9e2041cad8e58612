/** A projection that uses every kind of table, over the events of the aggregate `organization`. */
import type { CounterHandle, DocumentsHandle, GroupsHandle, LatestHandle } from "../event/index.js";
import {
  type CounterRow,
  counter,
  type DeclaredTables,
  defineProjection,
  documents,
  type GroupRow,
  groupBy,
  latest,
  type Projection,
  type Table,
  type ValueRow,
} from "../projection/index.js";

/** What {@link testProjection} has. */
export interface TestTables extends DeclaredTables {
  readonly types: Table<CounterHandle, CounterRow>;
  readonly plans: Table<
    GroupsHandle<"plan", "seats">,
    GroupRow<"plan", "seats">,
    Readonly<Partial<Record<"plan", string>>>
  >;
  readonly last: Table<LatestHandle<LastPlan>, ValueRow<LastPlan>>;
  readonly history: Table<DocumentsHandle<PlanHistory>, ValueRow<PlanHistory>>;
}

interface LastPlan {
  readonly plan: string;
  readonly position: number;
}

interface PlanHistory {
  readonly plans: readonly string[];
}

const text = { type: "string" } as const;
const lastPlan = {
  type: "object",
  properties: { plan: text, position: { type: "number" } },
  required: ["plan", "position"],
} as const;
const planHistory = {
  type: "object",
  properties: { plans: { type: "array", items: text } },
  required: ["plans"],
} as const;

function tables(): TestTables {
  return {
    types: counter({ acrossTenants: true }),
    plans: groupBy({ by: ["plan"], sums: ["seats"], acrossTenants: true }),
    last: latest(lastPlan),
    history: documents(planHistory),
  };
}

/** Counts types, groups organizations by plan, keeps the last plan and all plans of each. `plan` and `seats` are in the specs. */
export function testProjection(name: string, version = 1): Projection<string, TestTables> {
  return defineProjection({
    name,
    version,
    tables: tables(),
    apply: {
      "organization.create": (event, { types, plans, last, history }) => {
        const plan = planOf(event.spec.plan);
        types.add(event.type);
        plans.put(event.aggregateId, { plan }, { seats: Number(event.spec.seats ?? 0) });
        last.set(event.aggregateId, { plan, position: event.position });
        history.set(event.aggregateId, { plans: [plan] });
      },
      "organization.change-plan": (event, { types, plans, last, history }) => {
        const plan = planOf(event.spec.plan);
        types.add(event.type);
        plans.put(event.aggregateId, { plan }, { seats: Number(event.spec.seats ?? 0) });
        last.set(event.aggregateId, { plan, position: event.position });
        history.merge(event.aggregateId, {
          plans: [...(history.get(event.aggregateId)?.plans ?? []), plan],
        });
      },
      "organization.delete": (event, { types, plans, last, history }) => {
        types.add(event.type);
        types.add("organization.create", -1);
        plans.remove(event.aggregateId);
        last.delete(event.aggregateId);
        history.delete(event.aggregateId);
      },
    },
  });
}

/** The plan `poison` cannot be applied. */
function planOf(plan: unknown): string {
  if (plan === "poison") throw new RangeError("poison");
  return String(plan);
}
