/** Rows "bus-wildcards" and "bus-many-*": finding the subscriptions of a topic among many. */
import { EventBus } from "../../dist/bus/index.js";
import { wildcardEmitter } from "../peers/bus-peers.mjs";
import { busPayload, busSum } from "../support/bus-payload.js";
import { type Contender, interleave } from "../support/interleave.js";
import type { Row } from "../support/row.js";

const rounds = 30;
const eventsPerRound = 20_000;
const groups = 1_000;
const topics = 5_000;

function handler(): void {
  busSum.value++;
}

/** 1,000 patterns, of which three take `area7.special.done`. */
const wildcards = [
  ...Array.from({ length: groups - 2 }, (_, index) => `area${index}.*.done`),
  "area7.**",
  "*.special.*",
];

function busWith(name: string, patterns: readonly string[], topicOf: (index: number) => string): Contender {
  const bus = new EventBus({ unknownTopics: "allow" });
  for (const pattern of patterns) bus.on(pattern, handler);
  return {
    name,
    round: async () => {
      for (let index = 0; index < eventsPerRound; index++) void bus.publish(topicOf(index), busPayload(index));
      return eventsPerRound;
    },
  };
}

const busWildcards: Row = {
  name: "bus-wildcards",
  group: "bus",
  needsServer: false,
  question: "1,000 wildcard subscriptions, 3 match",
  run: async () => {
    const target = wildcardEmitter();
    for (const pattern of wildcards) target.on(pattern, handler);
    const peer: Contender = {
      name: "eventemitter2",
      round: async () => {
        for (let index = 0; index < eventsPerRound; index++) target.emit("area7.special.done", busPayload(index));
        return eventsPerRound;
      },
    };
    const ours = busWith("eventplane/bus", wildcards, () => "area7.special.done");
    const comparison = await interleave([ours, peer], rounds);
    return { comparison, goals: [{ what: "× eventemitter2", value: comparison.ratios["eventemitter2"], atLeast: 2 }] };
  },
};

/** Each topic is taken by one subscription; the others are only there. */
function manyRow(
  what: string,
  options: { readonly atLeast: number; readonly topicOf: (index: number) => string },
): Row {
  return {
    name: `bus-many-${what}`,
    group: "bus",
    needsServer: false,
    question: `10,000 subscriptions against 1,000, ${what === "hot" ? "one topic" : "5,000 topics in turn"}`,
    run: async () => {
      const few = Array.from({ length: groups }, (_, index) => `group${index}.**`);
      const others = Array.from({ length: 9 * groups }, (_, index) => `other${index}.**`);
      const contenders = [
        busWith("10,000", [...few, ...others], options.topicOf),
        busWith("1,000", few, options.topicOf),
      ];
      const comparison = await interleave(contenders, rounds);
      return {
        comparison,
        goals: [{ what: "× 1,000 subscriptions", value: comparison.ratios["1,000"], atLeast: options.atLeast }],
      };
    },
  };
}

const spread = Array.from({ length: topics }, (_, index) => `group${index % groups}.topic${index}`);

/** Each is its own row. */
export const busMatch: readonly Row[] = [
  busWildcards,
  manyRow("hot", { atLeast: 0.8, topicOf: () => "group7.topic7" }),
  manyRow("spread", { atLeast: 0.4, topicOf: (index) => spread[index % topics] ?? "" }),
];
