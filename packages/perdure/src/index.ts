/** `perdure`: what workflow files import. With the error classes, so that `"@workflow/errors": "npm:perdure"` is an alias, too. */
import "./default-world.ts";

export * from "@perdure/core";
export * from "@perdure/core/errors";
