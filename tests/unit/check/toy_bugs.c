/* SPDX-License-Identifier: MIT */
/* toy_bugs.c - toy programs, each with a bug of a kind that real ones have. */
#include "toy.h"

/* Main: create the given bodies, join them all, and then what follows. */
#define TWO(x, y)                                                                                  \
    {T_CREATE, 0, x, 0}, {T_CREATE, 0, y, 0}, {T_JOIN, 0, 1, 0},                                   \
    {                                                                                              \
        T_JOIN, 0, 2, 0                                                                            \
    }
#define THREE(x, y, z)                                                                             \
    {T_CREATE, 0, x, 0}, {T_CREATE, 0, y, 0}, {T_CREATE, 0, z, 0}, {T_JOIN, 0, 1, 0},              \
        {T_JOIN, 0, 2, 0},                                                                         \
    {                                                                                              \
        T_JOIN, 0, 3, 0                                                                            \
    }
#define CHECK(var, value)                                                                          \
    {T_READ, 0, var, 0},                                                                           \
    {                                                                                              \
        T_ASSERT, 0, value, 0                                                                      \
    }
#define INCREMENT(var)                                                                             \
    {T_READ, 0, var, 0}, {T_ADD, 0, 1, 0},                                                         \
    {                                                                                              \
        T_WRITE, 0, var, 0                                                                         \
    }
#define LOCKED_INCREMENT(m, var)                                                                   \
    {T_LOCK, 0, m, 0}, INCREMENT(var),                                                             \
    {                                                                                              \
        T_UNLOCK, 0, m, 0                                                                          \
    }
#define END                                                                                        \
    {                                                                                              \
        T_END, 0, 0, 0                                                                             \
    }
#define BODY(...) ((const struct toy_op[]){__VA_ARGS__, END})
#define QUIET5                                                                                     \
    {T_NOISE, 0, 40, 0}, {T_NOISE, 0, 40, 0}, {T_NOISE, 0, 40, 0}, {T_NOISE, 0, 40, 0},            \
    {                                                                                              \
        T_NOISE, 0, 40, 0                                                                          \
    }
#define BUSY3 LOCKED_INCREMENT(9, 41), LOCKED_INCREMENT(9, 41), LOCKED_INCREMENT(9, 41)

const struct toy toy_bugs[] = {
    {"lost update", {BODY(TWO(1, 1), CHECK(0, 2)), BODY(INCREMENT(0))}},
    {"lost update, often",
     {BODY(TWO(1, 1), CHECK(0, 6)), BODY(INCREMENT(0), INCREMENT(0), INCREMENT(0))}},
    {"lost update, other code",
     {BODY(TWO(1, 2), CHECK(0, 2)), BODY(INCREMENT(0)), BODY(QUIET5, INCREMENT(0), QUIET5)}},
    {"lost update in busy threads",
     {BODY(TWO(1, 1), CHECK(0, 2)), BODY(BUSY3, BUSY3, INCREMENT(0), BUSY3, BUSY3)}},
    {"two locks",
     {BODY(TWO(1, 2)),
      BODY({T_LOCK, 0, 0, 0}, {T_LOCK, 0, 1, 0}, {T_UNLOCK, 0, 1, 0}, {T_UNLOCK, 0, 0, 0}),
      BODY({T_LOCK, 0, 1, 0}, {T_LOCK, 0, 0, 0}, {T_UNLOCK, 0, 0, 0}, {T_UNLOCK, 0, 1, 0})}},
    {"two locks in busy threads",
     {BODY(TWO(1, 2)),
      BODY(BUSY3, {T_LOCK, 0, 0, 0}, {T_LOCK, 0, 1, 0}, {T_UNLOCK, 0, 1, 0}, {T_UNLOCK, 0, 0, 0},
           BUSY3),
      BODY(BUSY3, {T_LOCK, 0, 1, 0}, {T_LOCK, 0, 0, 0}, {T_UNLOCK, 0, 0, 0}, {T_UNLOCK, 0, 1, 0},
           BUSY3)}},
    {"three locks in a ring",
     {BODY(THREE(1, 2, 3)),
      BODY({T_LOCK, 0, 0, 0}, {T_LOCK, 0, 1, 0}, {T_UNLOCK, 0, 1, 0}, {T_UNLOCK, 0, 0, 0}),
      BODY({T_LOCK, 0, 1, 0}, {T_LOCK, 0, 2, 0}, {T_UNLOCK, 0, 2, 0}, {T_UNLOCK, 0, 1, 0}),
      BODY({T_LOCK, 0, 2, 0}, {T_LOCK, 0, 0, 0}, {T_UNLOCK, 0, 0, 0}, {T_UNLOCK, 0, 2, 0})}},
    {"used before set",
     {BODY({T_CREATE, 0, 1, 0}, {T_STORE, 7, 0, 0}, {T_JOIN, 0, 1, 0}), BODY(QUIET5, CHECK(0, 7))}},
    {"flag before data",
     {BODY(TWO(1, 2)), BODY(QUIET5, {T_STORE, 1, 1, 0}, {T_STORE, 7, 0, 0}, QUIET5),
      BODY({T_READ, 0, 1, 0}, {T_IF, 0, 1, 2}, CHECK(0, 7))}},
    {"balance looked at too early",
     {BODY({T_STORE, 1, 0, 0}, TWO(1, 1), CHECK(0, 0)),
      BODY({T_LOCK, 0, 0, 0}, {T_READ, 1, 0, 0}, {T_UNLOCK, 0, 0, 0}, {T_IF, 1, 1, 5},
           {T_LOCK, 0, 0, 0}, {T_READ, 0, 0, 0}, {T_ADD, 0, -1, 0}, {T_WRITE, 0, 0, 0},
           {T_UNLOCK, 0, 0, 0})}},
    {"torn pair",
     {BODY(TWO(1, 2)),
      BODY({T_LOCK, 0, 0, 0}, {T_STORE, 1, 0, 0}, {T_UNLOCK, 0, 0, 0}, {T_LOCK, 0, 0, 0},
           {T_STORE, 1, 1, 0}, {T_UNLOCK, 0, 0, 0}),
      BODY({T_LOCK, 0, 0, 0}, {T_READ, 0, 0, 0}, {T_READ, 1, 1, 0}, {T_UNLOCK, 0, 0, 0},
           {T_SAME, 0, 1, 0})}},
    {"two stages",
     {BODY(TWO(1, 2)),
      BODY({T_LOCK, 0, 0, 0}, {T_STORE, 1, 0, 0}, {T_UNLOCK, 0, 0, 0}, {T_LOCK, 0, 1, 0},
           {T_STORE, 2, 1, 0}, {T_UNLOCK, 0, 1, 0}),
      BODY({T_LOCK, 0, 0, 0}, {T_READ, 0, 0, 0}, {T_UNLOCK, 0, 0, 0}, {T_IF, 0, 1, 4},
           {T_LOCK, 0, 1, 0}, {T_READ, 1, 1, 0}, {T_UNLOCK, 0, 1, 0}, {T_ASSERT, 1, 2, 0})}},
    {"signal lost",
     {BODY(TWO(1, 2)),
      BODY({T_READ, 0, 0, 0}, {T_IF, 0, 0, 3}, {T_LOCK, 0, 0, 0}, {T_WAIT, 0, 0, 0},
           {T_UNLOCK, 0, 0, 0}),
      BODY(QUIET5, {T_STORE, 1, 0, 0}, {T_SIGNAL, 0, 0, 0})}},
    {"woken, and not looked again",
     {BODY(THREE(1, 1, 2)),
      BODY({T_LOCK, 0, 0, 0}, {T_READ, 0, 0, 0}, {T_IF, 0, 0, 1}, {T_WAIT, 0, 0, 0},
           {T_READ, 0, 0, 0}, {T_ASSERT, 0, 1, 0}, {T_STORE, 0, 0, 0}, {T_UNLOCK, 0, 0, 0}),
      BODY({T_LOCK, 0, 0, 0}, {T_STORE, 1, 0, 0}, {T_SIGNAL, 0, 0, 0}, {T_UNLOCK, 0, 0, 0})}},
    {"read twice",
     {BODY(TWO(1, 2)), BODY(QUIET5, {T_STORE, 1, 0, 0}, QUIET5),
      BODY(QUIET5, {T_READ, 0, 0, 0}, {T_READ, 1, 0, 0}, {T_SAME, 0, 1, 0}, QUIET5)}},
    {"setters and a checker",
     {BODY({T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0},
           {T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0},
           {T_CREATE, 0, 2, 0}, {T_JOIN, 0, 9, 0}),
      BODY({T_STORE, 1, 0, 0}, {T_STORE, 1, 1, 0}),
      BODY({T_READ, 0, 0, 0}, {T_READ, 1, 1, 0}, {T_SAME, 0, 1, 0})}},
    {"aba",
     {BODY({T_STORE, 1, 0, 0}, {T_STORE, 2, 1, 0}, TWO(1, 2)),
      /* pop: the head becomes its next. */
      BODY({T_READ, 0, 0, 0}, {T_READ, 1, 1, 0}, {T_CAS, 0, 0, 1}, {T_IF, 0, 1, 3},
           {T_READ, 2, 2, 0}, {T_ASSERT, 2, 0, 0}, {T_SET, 2, 0, 0}),
      /* take both away, mark the second as freed, put the first back. */
      BODY({T_READ, 0, 0, 0}, {T_IF, 0, 1, 4}, {T_STORE, 2, 0, 0}, {T_STORE, 0, 0, 0},
           {T_STORE, 1, 2, 0}, {T_STORE, 1, 0, 0})}},
    {"in step",
     {BODY(TWO(1, 2)), BODY({T_STORE, 1, 0, 0}, {T_STORE, 2, 0, 0}, {T_STORE, 3, 0, 0}),
      BODY({T_READ, 0, 0, 0}, {T_IF, 0, 1, 5}, {T_READ, 0, 0, 0}, {T_IF, 0, 2, 3},
           {T_READ, 0, 0, 0}, {T_IF, 0, 3, 1}, {T_ASSERT, 0, 0, 0})}},
    {"flags that cross",
     {BODY(TWO(1, 2)),
      BODY({T_READ, 0, 1, 0}, {T_IF, 0, 0, 5}, {T_STORE, 1, 0, 0}, INCREMENT(2), CHECK(2, 1),
           {T_STORE, 0, 2, 0}),
      BODY({T_READ, 0, 0, 0}, {T_IF, 0, 0, 5}, {T_STORE, 1, 1, 0}, INCREMENT(2), CHECK(2, 1),
           {T_STORE, 0, 2, 0})}},
    {"of four one late",
     {BODY({T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0}, {T_CREATE, 0, 2, 0},
           {T_JOIN, 0, 1, 0}, {T_JOIN, 0, 2, 0}, {T_JOIN, 0, 3, 0}, {T_JOIN, 0, 4, 0}),
      BODY(LOCKED_INCREMENT(0, 0), LOCKED_INCREMENT(0, 0), LOCKED_INCREMENT(0, 0)),
      BODY({T_LOCK, 0, 0, 0}, {T_READ, 0, 0, 0}, {T_UNLOCK, 0, 0, 0}, {T_IF, 0, 4, 1},
           {T_ASSERT, 0, 0, 0})}},
    {0},
};

const struct toy toy_correct = {
    "correct",
    {BODY(TWO(1, 1), CHECK(0, 3)),
     BODY(LOCKED_INCREMENT(0, 0), {T_LOCK, 0, 0, 0}, {T_READ, 0, 0, 0}, {T_IF, 0, 2, 2},
          {T_ADD, 0, 1, 0}, {T_WRITE, 0, 0, 0}, {T_UNLOCK, 0, 0, 0})}};

const struct toy toy_alone = {"alone", {BODY(INCREMENT(0), INCREMENT(0), CHECK(0, 2))}};
