/* SPDX-License-Identifier: MIT */
/* nats_api.h - the C library of NATS, loaded when the first engine is opened: a program that uses
 * no cluster, and each worker process, does not pay for it. */
#pragma once

#include <nats/nats.h>

#define RVI_NATS_FUNCTIONS(F)                                                                      \
    F(natsConnection_Buffered)                                                                     \
    F(natsConnection_Close)                                                                        \
    F(natsConnection_Connect)                                                                      \
    F(natsConnection_Destroy)                                                                      \
    F(natsConnection_GetConnectedUrl)                                                              \
    F(natsConnection_GetLastError)                                                                 \
    F(natsConnection_GetMaxPayload)                                                                \
    F(natsConnection_IsClosed)                                                                     \
    F(natsConnection_ProcessReadEvent)                                                             \
    F(natsConnection_ProcessWriteEvent)                                                            \
    F(natsConnection_PublishMsg)                                                                   \
    F(natsConnection_PublishRequest)                                                               \
    F(natsConnection_Publish)                                                                      \
    F(natsConnection_SubscribeSync)                                                                \
    F(natsMsgHeader_Get)                                                                           \
    F(natsMsgHeader_Set)                                                                           \
    F(natsMsg_Create)                                                                              \
    F(natsMsg_Destroy)                                                                             \
    F(natsMsg_GetData)                                                                             \
    F(natsMsg_GetDataLength)                                                                       \
    F(natsMsg_GetReply)                                                                            \
    F(natsMsg_GetSubject)                                                                          \
    F(natsOptions_Create)                                                                          \
    F(natsOptions_Destroy)                                                                         \
    F(natsOptions_LoadCATrustedCertificates)                                                       \
    F(natsOptions_LoadCertificatesChain)                                                           \
    F(natsOptions_SetAllowReconnect)                                                               \
    F(natsOptions_SetErrorHandler)                                                                 \
    F(natsOptions_SetEventLoop)                                                                    \
    F(natsOptions_SetIOBufSize)                                                                    \
    F(natsOptions_SetIgnoreDiscoveredServers)                                                      \
    F(natsOptions_SetNKeyFromSeed)                                                                 \
    F(natsOptions_SetName)                                                                         \
    F(natsOptions_SetPingInterval)                                                                 \
    F(natsOptions_SetSecure)                                                                       \
    F(natsOptions_SetSendAsap)                                                                     \
    F(natsOptions_SetServers)                                                                      \
    F(natsOptions_SetTimeout)                                                                      \
    F(natsStatus_GetText)                                                                          \
    F(natsSubscription_Destroy)                                                                    \
    F(natsSubscription_GetPending)                                                                 \
    F(natsSubscription_NextMsg)                                                                    \
    F(natsSubscription_SetPendingLimits)                                                           \
    F(nats_GetLastError)                                                                           \
    F(nats_Open)                                                                                   \
    F(nats_ReleaseThreadMemory)

#define RVI_NATS_MEMBER(name) __typeof__(&name) name;
struct rvi_nats_api {
    RVI_NATS_FUNCTIONS(RVI_NATS_MEMBER)
};
#undef RVI_NATS_MEMBER

/** The library's functions, NULL if it is not installed here. On a thread of the engine's: it
 * starts threads, which take their signal mask from their starter. */
const struct rvi_nats_api *rvi_nats_api(void);
