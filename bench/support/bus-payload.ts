/** The event of the bus's benches: `{id, type, tenant, data}` with five fields, and handlers for it. */

/** JSON Schema of the payload, with the formats and bounds that such events have. */
export const busSchema = {
  type: "object",
  additionalProperties: false,
  required: ["id", "type", "tenant", "data"],
  properties: {
    id: { type: "string", format: "uuid" },
    type: { type: "string", maxLength: 128 },
    tenant: { type: "string", format: "uuid" },
    data: {
      type: "object",
      additionalProperties: false,
      required: ["email", "age", "active", "plan", "at"],
      properties: {
        email: { type: "string", format: "email", maxLength: 200 },
        age: { type: "integer", minimum: 0, maximum: 150 },
        active: { type: "boolean" },
        plan: { enum: ["free", "team", "enterprise"] },
        at: { type: "string", format: "date-time" },
      },
    },
  },
} as const;

/** A payload of it. */
export interface BusPayload {
  readonly id: string;
  readonly type: string;
  readonly tenant: string;
  readonly data: {
    readonly email: string;
    readonly age: number;
    readonly active: boolean;
    readonly plan: "free" | "team" | "enterprise";
    readonly at: string;
  };
}

const tenant = "0190b7c2-0000-7000-8000-000000000001";
const ids = Array.from({ length: 1_000 }, (_, index) => `0190b7c2-0000-7000-8000-${String(index).padStart(12, "0")}`);

/** A new payload, built for each event as a publisher does. */
export function busPayload(index: number): BusPayload {
  const id = ids[index % ids.length] ?? "";
  const data = {
    email: "ada@example.com",
    age: index % 100,
    active: true,
    plan: "team",
    at: "2026-01-01T00:00:00Z",
  } as const;
  return { id, type: "user.created", tenant, data };
}

/** What handlers add up, so that their work cannot be left out. */
export const busSum = { value: 0 };

/** Handlers that are different functions, as those of an application are; one function many times would be called at a price that nobody pays. */
export function busHandlers<Argument>(count: number, age: string): readonly ((argument: Argument) => void)[] {
  return Array.from({ length: count }, (_, index) => {
    // oxlint-disable-next-line typescript/no-implied-eval -- there is no other way to make functions that differ
    const make = new Function("sum", `return (argument) => { sum.value += argument.${age} + ${index}; };`);
    return make(busSum) as (argument: Argument) => void; // the text above is such a function
  });
}
