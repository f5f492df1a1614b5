// Package proxyapp puts together what decides about requests to applications behind a
// proxy, for the functions that are asked: by proxies, and by API Gateway.
//
// Duty: the provider and the sessions of those functions, made of their dependencies.
//
// Boundary: the rules are package oauth's, the cookies package session's. How the question
// and its answer look is the function's.
package proxyapp
