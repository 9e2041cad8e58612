/** Teams of a platform: what each should have, and one controller that makes it so. */
import { defineAggregate, defineApp, defineController, done, reject } from "eventplane";
import { Type } from "typebox";

export const team = defineAggregate("team", {
  spec: Type.Object({ name: Type.String({ minLength: 1, maxLength: 80 }), seats: Type.Integer({ minimum: 1 }) }),
  status: { seats: Type.Object({ granted: Type.Integer() }) },
  intents: {
    create: { creates: true },
    "change-seats": { schema: Type.Object({ seats: Type.Integer({ minimum: 1 }) }) },
  },
});

const seatsMax = 100;

export const seats = defineController({
  name: "seats",
  watches: team,
  reconcile: ({ resource }) =>
    resource.spec.seats > seatsMax
      ? reject("TooManySeats", `A team has at most ${seatsMax} seats.`)
      : done({ granted: resource.spec.seats }),
});

export default defineApp({ aggregates: [team], controllers: [seats] });
