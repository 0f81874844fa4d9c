import * as v from 'valibot'
import { CommandError } from '../errors.ts'

/** A list that iproute2 prints. Throws exit 1 where it does not read as expected. */
export function parseAll<Schema extends v.GenericSchema>(
  schema: Schema,
  raw: unknown,
): v.InferOutput<Schema>[] {
  const parsed = v.safeParse(v.array(schema), raw ?? [])
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  throw new CommandError(
    'failed',
    `cannot read what ip prints: ${v.getDotPath(issue) ?? ''}: ${issue.message}`,
    {
      hint: 'this version of iproute2 may be too old or too new',
    },
  )
}
