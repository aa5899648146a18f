/** `perdure/api`: starting runs and acting on them from outside. */
import "./default-world.ts";

export * from "@perdure/core/api";
