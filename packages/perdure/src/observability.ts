/** `perdure/observability`: ids as people read them. */
export * from "@perdure/core/observability";
