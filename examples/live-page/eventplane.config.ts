/** Orders of a shop, and a controller that reserves what they need. */
import { defineAggregate, defineApp, defineController, done } from "eventplane";
import { Type } from "typebox";

export const order = defineAggregate("order", {
  spec: Type.Object({
    article: Type.String({ minLength: 1, maxLength: 80 }),
    pieces: Type.Integer({ minimum: 1, maximum: 1_000 }),
  }),
  status: { stock: Type.Object({ reserved: Type.Integer() }) },
  intents: {
    place: { creates: true },
    change: { schema: Type.Object({ pieces: Type.Integer({ minimum: 1, maximum: 1_000 }) }) },
  },
});

export const stock = defineController({
  name: "stock",
  watches: order,
  reconcile: ({ resource }) => done({ reserved: resource.spec.pieces }),
});

export default defineApp({ aggregates: [order], controllers: [stock] });
