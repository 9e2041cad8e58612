import { Type } from "typebox";
import { defineAggregate } from "./define-aggregate.js";
import { defineController } from "./define-controller.js";
import { done, pending } from "./decisions.js";
const organization = defineAggregate("organization", { spec: Type.Object({ name: Type.String() }), status: { quota: Type.Object({ members: Type.Integer(), t: Type.Optional(Type.Array(Type.String())), k: Type.Optional(Type.Union([Type.Literal("a"), Type.Literal("b")])) }) }, intents: { create: { creates: true } } });
export const list = [
defineController({ name: "quota", watches: organization, reconcile: () => done({ members: "BAD" }) }),
defineController({ name: "quota", watches: organization, reconcile: ({ resource }) => done({ members: resource.aggregateId }) }), // BAD
defineController({ name: "quota", watches: organization, reconcile: ({ resource }) => done({ members: 3, k: "BAD" }) }),
defineController({ name: "quota", watches: organization, reconcile: ({ resource }) => done({ members: 3, more: "BAD" }) }),
defineController({ name: "quota", watches: organization, reconcile() { return done({ membrs: "BAD" }); } }),
defineController({ name: "quota", watches: organization, reconcile() { return done({ members: 3, more: "maybe" }); } }),
defineController({ name: "quota", watches: organization, reconcile() { return done({ members: 3, k: "a", t: ["x"] }); } }),
defineController({ name: "quota", watches: organization, reconcile() { return done(); } }),
defineController({ name: "quota", watches: organization, reconcile: ({ resource }) => { if (resource.version > 2) return done(); if (resource.version > 3) return pending(); return done({ members: 3, k: "a", t: ["x"] }); } }),
defineController({ name: "other", watches: organization, reconcile() { return done({ anything: 3 }); } }),
defineController({ name: "quota", watches: organization, reconcile: ({ resource }) => [pending(), done({ members: resource.version })] }),
];
