/** `perdure/errors`: every error class. */
export * from "@perdure/core/errors";
