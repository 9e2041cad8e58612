/** Topics and patterns: what they look like, and which topics of a typed bus a pattern takes. */
import { EventplaneError, terminalSafe } from "../kernel/index.js";
import { busLimits } from "./bus-limits.js";

/** Topic → type of its payload. */
export type TopicMap = object;

/** The topics of a bus, as text. */
export type TopicOf<Topics extends TopicMap> = keyof Topics & string;

/** `true` when `Pattern` takes `Topic`: `*` is one token, a closing `**` one or more. */
export type Takes<Pattern extends string, Topic extends string> = string extends Topic
  ? true
  : Pattern extends "**"
    ? true
    : Pattern extends `${infer Head}.${infer Rest}`
      ? Topic extends `${infer TopicHead}.${infer TopicRest}`
        ? Head extends "*" | TopicHead
          ? Takes<Rest, TopicRest>
          : false
        : false
      : Topic extends `${string}.${string}`
        ? false
        : Pattern extends "*" | Topic
          ? true
          : false;

/** The topics that any of the patterns takes. */
export type TopicsTaken<Topics extends TopicMap, Patterns extends string> = {
  [Topic in TopicOf<Topics>]: true extends (Patterns extends string ? Takes<Patterns, Topic> : never) ? Topic : never;
}[TopicOf<Topics>];

/** A pattern that takes at least one topic of the bus; `never` for others, so that a misspelt one does not compile. */
export type PatternOf<Topics extends TopicMap, Pattern extends string> = Pattern extends string
  ? [TopicsTaken<Topics, Pattern>] extends [never]
    ? never
    : Pattern
  : never;

const topicToken = /^[A-Za-z0-9_-]+$/;

/**
 * The tokens of a topic.
 *
 * @throws EventplaneError `request_invalid` when it is empty, too long, or holds anything but `A-Z a-z 0-9 _ -` between its dots
 */
export function topicTokens(topic: string): readonly string[] {
  return checkedTokens("topic", topic, (token) => topicToken.test(token));
}

/**
 * The tokens of a pattern.
 *
 * @throws EventplaneError `request_invalid` as for topics; `*` may stand for one whole token, `**` for the last one
 */
export function patternTokens(pattern: string): readonly string[] {
  return checkedTokens("pattern", pattern, (token, isLast) => {
    return topicToken.test(token) || token === "*" || (token === "**" && isLast);
  });
}

function checkedTokens(
  what: string,
  text: string,
  isGood: (token: string, isLast: boolean) => boolean,
): readonly string[] {
  if (typeof text !== "string" || text.length > busLimits.topicCharactersMax)
    throw new EventplaneError(
      "request_invalid",
      `A ${what} is text of at most ${busLimits.topicCharactersMax} characters.`,
    );
  const tokens = text.split(".");
  const last = tokens.length - 1;
  if (tokens.length > busLimits.topicTokensMax || !tokens.every((token, at) => isGood(token, at === last)))
    throw new EventplaneError(
      "request_invalid",
      `"${terminalSafe(text)}" is no ${what}: write up to ${busLimits.topicTokensMax} tokens of letters, digits, _ and - between dots${what === "pattern" ? ", * for one whole token, ** for the last ones" : ""}.`,
    );
  return tokens;
}
