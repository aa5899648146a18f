/** `perdure/transactions`: steps whose writes to a database of yours, and their result, commit together, once. */

export { fromDrizzle } from "./adapters/drizzle.ts";
export { fromKnex } from "./adapters/knex.ts";
export { fromKysely } from "./adapters/kysely.ts";
export { fromMongo, type MongoOptions } from "./adapters/mongo.ts";
export { fromPg } from "./adapters/pg.ts";
export { fromPrisma, type PrismaOptions, type PrismaTransactionOptions } from "./adapters/prisma.ts";
export type { SqlDatabase, SqlOptions } from "./adapters/sql-database.ts";
export { fromTypeOrm } from "./adapters/typeorm.ts";
export type { Owner, StepRow, StepRows, StoredResult, TransactionalDatabase } from "./database.ts";
export { migration, type PruneOptions, pruneTransactions } from "./prune.ts";
export type { Dialect } from "./sql-rows.ts";
export { type Transactional, type TransactionalOptions, transactional } from "./transactional.ts";
