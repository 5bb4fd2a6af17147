/** How often something may happen: at most `max` times in `windowMs`. A `max` of 0 means no limit. */
export type RateLimit = { max: number; windowMs: number };
