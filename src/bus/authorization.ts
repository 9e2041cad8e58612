/** Who may publish and who may subscribe: the hooks of a bus, asked before anything is registered or queued. */
import { EventplaneError } from "../kernel/index.js";
import { answerOf } from "./callback.js";

/** A publication to decide on. */
export interface PublishRequest {
  readonly context: string;
  readonly topic: string;
  /** As the publisher says it in its options; the bus does not know whether it is true. */
  readonly principal: string | undefined;
  /** The outside source that the event was verified to come from. */
  readonly source: string | undefined;
}

/** A subscription to decide on. */
export interface SubscribeRequest {
  readonly context: string;
  readonly subscription: string;
  readonly patterns: readonly string[];
  readonly principal: string | undefined;
}

/** The hooks. Without one of them everybody may. A hook that throws has said no. */
export interface AuthorizationOptions {
  readonly authorizePublish?: (request: PublishRequest) => boolean;
  /** A list of patterns permits those topics only, whatever the subscription's own patterns take. */
  readonly authorizeSubscribe?: (request: SubscribeRequest) => boolean | readonly string[];
}

/** What a subscription may get: everything that its patterns take, or of that what a list of patterns takes. */
export type Permit = "all" | readonly string[];

/** @throws EventplaneError `forbidden` */
export function assertMayPublish({ authorizePublish }: AuthorizationOptions, request: PublishRequest): void {
  if (authorizePublish === undefined) return;
  let cause: unknown;
  try {
    if (answerOf(() => authorizePublish(request)) === true) return;
  } catch (error) {
    cause = error;
  }
  const { context, topic } = request;
  throw new EventplaneError("forbidden", `Publishing ${topic} in the context ${context} is not permitted.`, {
    details: { context, topic },
    cause,
  });
}

/** @throws EventplaneError `forbidden` */
export function permitFor({ authorizeSubscribe }: AuthorizationOptions, request: SubscribeRequest): Permit {
  if (authorizeSubscribe === undefined) return "all";
  let cause: unknown;
  try {
    const answer = answerOf(() => authorizeSubscribe(request));
    if (answer === true) return "all";
    if (Array.isArray(answer) && answer.length > 0) return [...answer];
  } catch (error) {
    cause = error;
  }
  const { context, subscription } = request;
  throw new EventplaneError(
    "forbidden",
    `The subscription ${subscription} in the context ${context} is not permitted.`,
    {
      details: { context, subscription },
      cause,
    },
  );
}
