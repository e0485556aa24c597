"""Roles: the loops, the shell around the pure functions of `flow`. Each is poll, one function, one Kafka transaction.

Promises
- What a turn reads and what it writes are one transaction: a crash at any instant repeats a turn that nobody saw.
- A role keeps nothing that Kafka does not hold: observe and gate nothing at all (watermarks travel in the metadata of committed
  offsets), chart a fold over its log, notify what the outbox says.
- After any error of the transaction or the consumer the clients are spent: new ones begin at the committed offsets (`loop`).
- A role that hangs ends its process: it beats before each step, and a step may take half a transaction time-out (`pulse`, `loop.watch`).
- Roles share nothing but Kafka, so that each restarts, lags and scales alone. In one process each has a thread and clients of its own.

The way: `control` (start), `observe`, `chart`, `gate`, and by the kind of receiver `notify`, `publish` or `assertion`, all of which are a
`hearing`; `loop` drives them, `pulse`, `clients`, `meters` and `panel` serve them, `ends` says where the log ends for `--until-end`.

Rejected: callbacks on rebalance (they run on the I/O thread of the client; the generation is looked at after each poll instead); queues
between roles in one process (a second way for data to go, and the one that tests would not see break).
"""
