/* CoreML.h - as much of Apple's frameworks as coreml_bridge.m uses, declared in our own words from the public
 * documentation, so that clang checks types and availability where there is no SDK. Never on the path of a build
 * for macOS. */
#ifndef COREML_DECLARATIONS_H
#define COREML_DECLARATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "c_library.h"

/* ---- availability: Apple's spelling, for the one system that is checked */
#define SINCE(version)          __attribute__((availability(macos, introduced = version)))
#define AVAILABLE_macos(number) macos, introduced = number
#define API_AVAILABLE(system)   __attribute__((availability(AVAILABLE_##system)))

/* ---- the C library */
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void free(void *memory);

/* ---- libdispatch */
@protocol OS_dispatch_object
@end
typedef id<OS_dispatch_object> dispatch_semaphore_t, dispatch_queue_t;
typedef uint64_t dispatch_time_t;
#define DISPATCH_TIME_NOW     ((dispatch_time_t)0)
#define DISPATCH_TIME_FOREVER (~(dispatch_time_t)0)
#define NSEC_PER_MSEC         ((uint64_t)1000000)
dispatch_semaphore_t dispatch_semaphore_create(intptr_t value) __attribute__((ns_returns_retained));
intptr_t dispatch_semaphore_wait(dispatch_semaphore_t semaphore, dispatch_time_t timeout);
intptr_t dispatch_semaphore_signal(dispatch_semaphore_t semaphore);
dispatch_time_t dispatch_time(dispatch_time_t when, int64_t delta);
dispatch_queue_t dispatch_queue_create(const char *label, id attributes)
    __attribute__((ns_returns_retained));
void dispatch_async(dispatch_queue_t queue, void (^block)(void));

/* ---- Foundation */
typedef long NSInteger;
typedef unsigned long NSUInteger;
typedef signed char BOOL;
#define YES ((BOOL)1)
#define NO  ((BOOL)0)
#define nil ((id)0)
typedef struct {
    NSUInteger location, length;
} NSRange;
#define NSUIntegerMax (~(NSUInteger)0)

#pragma clang assume_nonnull begin

__attribute__((objc_root_class))
@interface NSObject
+ (instancetype)alloc;
+ (instancetype)new;
+ (Class)class;
- (instancetype)init;
- (BOOL)isKindOfClass:(Class)type;
- (BOOL)isEqual:(nullable id)other;
@end

typedef struct {
    unsigned long state;
    id __unsafe_unretained _Nullable *_Nullable itemsPtr;
    unsigned long *_Nullable mutationsPtr;
    unsigned long extra[5];
} NSFastEnumerationState;
@protocol NSFastEnumeration
- (NSUInteger)countByEnumeratingWithState:(NSFastEnumerationState *)state
                                  objects:(id __unsafe_unretained _Nullable[_Nonnull])buffer
                                    count:(NSUInteger)n;
@end

@interface NSString : NSObject
@property(readonly, nullable) const char *UTF8String __attribute__((objc_returns_inner_pointer));
+ (nullable instancetype)stringWithUTF8String:(const char *)text;
+ (instancetype)stringWithFormat:(NSString *)format,
                                 ... __attribute__((format(__NSString__, 1, 2)));
- (instancetype)initWithFormat:(NSString *)format
                     arguments:(__builtin_va_list)arguments
    __attribute__((format(__NSString__, 1, 0)));
@end
@interface NSMutableString : NSString
- (void)appendFormat:(NSString *)format, ... __attribute__((format(__NSString__, 1, 2)));
@end
@interface NSConstantString : NSString
@end
@interface NSNumber : NSObject
@property(readonly) long long longLongValue;
@property(readonly) float floatValue;
+ (NSNumber *)numberWithLongLong:(long long)value;
@end
@interface NSValue : NSObject
@property(readonly) NSRange rangeValue;
@end
@interface NSArray<__covariant T> : NSObject <NSFastEnumeration>
@property(readonly) NSUInteger count;
- (T)objectAtIndexedSubscript:(NSUInteger)index;
- (NSArray<T> *)sortedArrayUsingSelector:(SEL)comparator;
@end
@interface NSMutableArray<T> : NSArray <T>
- (void)addObject:(T)object;
@end
@interface NSDictionary<__covariant K, __covariant V> : NSObject <NSFastEnumeration>
@property(readonly) NSUInteger count;
@property(readonly) NSArray<K> *allKeys;
- (nullable V)objectForKeyedSubscript:(K)key;
@end
@interface NSMutableDictionary<K, V> : NSDictionary <K, V>
- (void)setObject:(nullable V)object forKeyedSubscript:(K)key;
@end
@interface NSError : NSObject
@property(readonly) NSString *localizedDescription;
@end
@interface NSException : NSObject
@property(readonly) NSString *name;
@property(readonly, nullable) NSString *reason;
@end
@interface NSURL : NSObject
@property(readonly, nullable) NSString *path;
+ (NSURL *)fileURLWithPath:(NSString *)path;
@end
@interface NSFileManager : NSObject
@property(class, readonly) NSFileManager *defaultManager;
- (BOOL)moveItemAtURL:(NSURL *)from
                toURL:(NSURL *)to
                error:(NSError *_Nullable __autoreleasing *_Nullable)error;
- (BOOL)removeItemAtURL:(NSURL *)url error:(NSError *_Nullable __autoreleasing *_Nullable)error;
@end

/* ---- CoreVideo */
typedef struct pixel_buffer *CVPixelBufferRef;
typedef uint32_t OSType;
typedef const struct allocator *CFAllocatorRef;
typedef const struct dictionary *CFDictionaryRef;
enum {
    kCVPixelFormatType_32ARGB = 0x00000020,
    kCVPixelFormatType_32BGRA = 0x42475241,
    kCVPixelFormatType_OneComponent8 = 0x4C303038,
    kCVPixelFormatType_OneComponent16Half = 0x4C303068
};
enum { kCVPixelBufferLock_ReadOnly = 1 };
int32_t CVPixelBufferCreate(CFAllocatorRef _Nullable allocator, size_t width, size_t height,
                            OSType format, CFDictionaryRef _Nullable attributes,
                            CVPixelBufferRef _Nullable *_Nonnull ret);
int32_t CVPixelBufferLockBaseAddress(CVPixelBufferRef buffer, uint64_t flags);
int32_t CVPixelBufferUnlockBaseAddress(CVPixelBufferRef buffer, uint64_t flags);
void *_Nullable CVPixelBufferGetBaseAddress(CVPixelBufferRef buffer);
size_t CVPixelBufferGetBytesPerRow(CVPixelBufferRef buffer);
size_t CVPixelBufferGetWidth(CVPixelBufferRef buffer);
size_t CVPixelBufferGetHeight(CVPixelBufferRef buffer);
OSType CVPixelBufferGetPixelFormatType(CVPixelBufferRef buffer);
CVPixelBufferRef _Nullable CVPixelBufferRetain(CVPixelBufferRef _Nullable buffer);
void CVPixelBufferRelease(CVPixelBufferRef _Nullable buffer);

/* ---- Core ML */
typedef NSInteger MLFeatureType;
enum { MLFeatureTypeImage = 4, MLFeatureTypeMultiArray = 5, MLFeatureTypeDictionary = 6 };
typedef NSInteger MLMultiArrayDataType;
enum {
    MLMultiArrayDataTypeDouble = 0x10040,
    MLMultiArrayDataTypeFloat32 = 0x10020,
    MLMultiArrayDataTypeFloat16 SINCE(12.0) = 0x10010,
    MLMultiArrayDataTypeInt32 = 0x20020
};
typedef NSInteger MLComputeUnits;
enum {
    MLComputeUnitsCPUOnly = 0,
    MLComputeUnitsCPUAndGPU = 1,
    MLComputeUnitsAll = 2,
    MLComputeUnitsCPUAndNeuralEngine SINCE(13.0) = 3
};
typedef NSInteger MLMultiArrayShapeConstraintType;
enum { MLMultiArrayShapeConstraintTypeEnumerated = 2, MLMultiArrayShapeConstraintTypeRange = 3 };

@interface MLMultiArray : NSObject
@property(readonly) MLMultiArrayDataType dataType;
@property(readonly) NSArray<NSNumber *> *shape;
@property(readonly) NSArray<NSNumber *> *strides;
- (nullable instancetype)initWithShape:(NSArray<NSNumber *> *)shape
                              dataType:(MLMultiArrayDataType)dtype
                                 error:(NSError *_Nullable __autoreleasing *_Nullable)error;
- (void)getBytesWithHandler:(void(__attribute__((noescape)) ^)(const void *bytes, NSInteger size))
                                handler SINCE(12.3);
- (void)getMutableBytesWithHandler:
    (void(__attribute__((noescape)) ^)(void *bytes, NSInteger size, NSArray<NSNumber *> *strides))
        handler SINCE(12.3);
@end
@interface MLMultiArrayShapeConstraint : NSObject
@property(readonly) MLMultiArrayShapeConstraintType type;
@property(readonly) NSArray<NSValue *> *sizeRangeForDimension;
@property(readonly) NSArray<NSArray<NSNumber *> *> *enumeratedShapes;
@end
@interface MLMultiArrayConstraint : NSObject
@property(readonly) NSArray<NSNumber *> *shape;
@property(readonly) MLMultiArrayDataType dataType;
@property(readonly) MLMultiArrayShapeConstraint *shapeConstraint;
@end
typedef NSInteger MLImageSizeConstraintType;
enum { MLImageSizeConstraintTypeEnumerated = 2, MLImageSizeConstraintTypeRange = 3 };
@interface MLImageSize : NSObject
@property(readonly) NSInteger pixelsWide, pixelsHigh;
@end
@interface MLImageSizeConstraint : NSObject
@property(readonly) MLImageSizeConstraintType type;
@property(readonly) NSRange pixelsWideRange, pixelsHighRange;
@property(readonly) NSArray<MLImageSize *> *enumeratedImageSizes;
@end
@interface MLImageConstraint : NSObject
@property(readonly) MLImageSizeConstraint *sizeConstraint;
@property(readonly) NSInteger pixelsHigh, pixelsWide;
@property(readonly) OSType pixelFormatType;
@end
@interface MLFeatureDescription : NSObject
@property(readonly) NSString *name;
@property(readonly) MLFeatureType type;
@property(readonly, getter=isOptional) BOOL optional;
@property(readonly, nullable) MLMultiArrayConstraint *multiArrayConstraint;
@property(readonly, nullable) MLImageConstraint *imageConstraint;
@end
@interface MLModelDescription : NSObject
@property(readonly) NSDictionary<NSString *, MLFeatureDescription *> *inputDescriptionsByName;
@property(readonly) NSDictionary<NSString *, MLFeatureDescription *> *outputDescriptionsByName;
@property(readonly, nullable) NSString *predictedFeatureName;
@property(readonly, nullable) NSString *predictedProbabilitiesName;
@property(readonly, nullable) NSArray *classLabels;
@property(readonly)
    NSDictionary<NSString *, MLFeatureDescription *> *stateDescriptionsByName SINCE(15.0);
@end
@interface MLFeatureValue : NSObject
@property(readonly, nullable) MLMultiArray *multiArrayValue;
@property(readonly) NSDictionary<id, NSNumber *> *dictionaryValue;
@property(readonly, nullable) CVPixelBufferRef imageBufferValue
    __attribute__((objc_returns_inner_pointer));
+ (instancetype)featureValueWithMultiArray:(MLMultiArray *)array;
+ (instancetype)featureValueWithPixelBuffer:(CVPixelBufferRef)buffer;
@end
@protocol MLFeatureProvider
- (nullable MLFeatureValue *)featureValueForName:(NSString *)name;
@end
@interface MLDictionaryFeatureProvider : NSObject <MLFeatureProvider>
- (nullable instancetype)initWithDictionary:(NSDictionary<NSString *, id> *)dictionary
                                      error:(NSError *_Nullable __autoreleasing *_Nullable)error;
@end
@interface MLModelConfiguration : NSObject
@property MLComputeUnits computeUnits;
@property BOOL allowLowPrecisionAccumulationOnGPU;
@property(nullable) NSString *functionName SINCE(15.0);
@end
@interface MLPredictionOptions : NSObject
@end
@interface MLModel : NSObject
@property(readonly) MLModelDescription *modelDescription;
+ (void)compileModelAtURL:(NSURL *)url
        completionHandler:(void (^)(NSURL *_Nullable compiled, NSError *_Nullable error))handler
    SINCE(13.0);
+ (nullable instancetype)modelWithContentsOfURL:(NSURL *)url
                                  configuration:(MLModelConfiguration *)configuration
                                          error:
                                              (NSError *_Nullable __autoreleasing *_Nullable)error;
- (nullable id<MLFeatureProvider>)
    predictionFromFeatures:(id<MLFeatureProvider>)input
                   options:(MLPredictionOptions *)options
                     error:(NSError *_Nullable __autoreleasing *_Nullable)error;
- (void)predictionFromFeatures:(id<MLFeatureProvider>)input
                       options:(MLPredictionOptions *)options
             completionHandler:(void (^)(id<MLFeatureProvider> _Nullable output,
                                         NSError *_Nullable error))handler SINCE(14.0);
@end

/* ---- planned devices */
SINCE(14.0) @protocol MLComputeDeviceProtocol
- (BOOL)isKindOfClass:(Class)type;
@end
SINCE(14.0) @interface MLNeuralEngineComputeDevice : NSObject<MLComputeDeviceProtocol>
@end
SINCE(14.0) @interface MLGPUComputeDevice : NSObject<MLComputeDeviceProtocol>
@end
SINCE(14.4) @interface MLModelStructureProgramOperation : NSObject
@property(readonly) NSArray<id> *blocks;
@end
SINCE(14.4) @interface MLModelStructureProgramBlock : NSObject
@property(readonly) NSArray<MLModelStructureProgramOperation *> *operations;
@end
SINCE(14.4) @interface MLModelStructureProgramFunction : NSObject
@property(readonly) MLModelStructureProgramBlock *block;
@end
SINCE(14.4) @interface MLModelStructureProgram : NSObject
@property(readonly) NSDictionary<NSString *, MLModelStructureProgramFunction *> *functions;
@end
SINCE(14.4) @interface MLModelStructureNeuralNetworkLayer : NSObject
@end
SINCE(14.4) @interface MLModelStructureNeuralNetwork : NSObject
@property(readonly) NSArray<MLModelStructureNeuralNetworkLayer *> *layers;
@end
@class MLModelStructure;
SINCE(14.4) @interface MLModelStructurePipeline : NSObject
@property(readonly) NSArray<MLModelStructure *> *subModels;
@end
SINCE(14.4) @interface MLModelStructure : NSObject
@property(readonly, nullable) MLModelStructurePipeline *pipeline;
@property(readonly, nullable) MLModelStructureNeuralNetwork *neuralNetwork;
@property(readonly, nullable) MLModelStructureProgram *program;
@end
SINCE(14.4) @interface MLComputePlanDeviceUsage : NSObject
@property(readonly) id<MLComputeDeviceProtocol> preferredComputeDevice;
@end
SINCE(14.4) @interface MLComputePlanCost : NSObject
@property(readonly) double weight;
@end
SINCE(14.4) @interface MLComputePlan : NSObject
@property(readonly) MLModelStructure *modelStructure;
+ (void)loadContentsOfURL:(NSURL *)url
            configuration:(MLModelConfiguration *)configuration
        completionHandler:
            (void (^)(MLComputePlan *_Nullable plan, NSError *_Nullable error))handler;
- (nullable MLComputePlanDeviceUsage *)computeDeviceUsageForMLProgramOperation:
    (MLModelStructureProgramOperation *)operation;
- (nullable MLComputePlanDeviceUsage *)computeDeviceUsageForNeuralNetworkLayer:
    (MLModelStructureNeuralNetworkLayer *)layer;
- (nullable MLComputePlanCost *)estimatedCostOfMLProgramOperation:
    (MLModelStructureProgramOperation *)operation;
@end

#pragma clang assume_nonnull end

#endif
